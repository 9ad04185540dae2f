"""What the operating system gives: processors, memory, child processes."""
