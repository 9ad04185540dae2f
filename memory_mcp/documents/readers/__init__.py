"""One reader per format; all of them run in the sandbox alone."""
