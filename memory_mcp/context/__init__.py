"""Context: what an assistant should know, packed under a budget and on time."""
