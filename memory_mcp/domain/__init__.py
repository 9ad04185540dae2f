"""What the program is about, free of every library: memories, errors, ports."""
