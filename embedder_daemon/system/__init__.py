"""Access to the operating system: processors, memory, child processes."""
