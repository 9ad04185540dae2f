"""What the front and the daemon share beside the wire; it imports neither."""
