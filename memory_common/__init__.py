"""Code shared by the front and the daemon, besides the wire; it imports neither."""
