"""What the bundle starts: the front, on stdin and stdout."""

import sys

from memory_mcp.__main__ import main

if __name__ == "__main__":
    sys.argv[1:] = ["serve"]
    main()
