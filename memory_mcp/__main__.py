"""`memory-mcp` and `python -m memory_mcp`."""

import contextlib
import os
import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # A random.py in the working folder must not replace Python's own. The imports above were loaded before us.
    with contextlib.suppress(OSError):  # the folder is gone, so Python has not added it
        if sys.path[0] == os.getcwd():  # noqa: PTH109 - pathlib would be imported from there
            del sys.path[0]


_WINDOWS = (
    "memory-mcp: Windows is not supported, because locks, sockets and the sandbox are Unix's; install it in WSL"
    " (`wsl --install`), and let clients on Windows start `wsl memory-mcp serve`\n"
)


def _command() -> int:
    from memory_mcp.cli import run  # noqa: PLC0415 - Ctrl-C may come before this is done

    return run()


def _hook() -> int:
    """Run a hook without the command line, whose parser takes longer to import than a hook has, and end at once.

    It lives for a moment: collecting garbage and taking the modules down would take a tenth of that.
    """
    import gc  # noqa: PLC0415 - for this alone

    gc.disable()
    ends = True
    try:
        from memory_mcp.hooks.run import main as run_hook  # noqa: PLC0415 - likewise

        ends = run_hook(sys.argv[2:])
    except ImportError as error:
        with contextlib.suppress(AttributeError, OSError, ValueError):  # the client may have closed stderr
            sys.stderr.write(f"memory-mcp: the hooks cannot be loaded ({error}); reinstall memory-mcp\n")
            sys.stderr.flush()
    finally:
        if ends:
            os._exit(0)  # even after a failure: another code would stop the client's session
    gc.enable()
    return _command()


def main() -> None:
    """Run the command line and exit with its code; Ctrl-C never ends in a traceback."""
    if sys.platform == "win32":  # before anything is imported that is not there
        sys.stderr.write(_WINDOWS)
        sys.exit(0 if sys.argv[1:2] == ["hook"] else 1)  # another code would stop the client's session
    try:
        code = _hook() if sys.argv[1:2] == ["hook"] else _command()
    except KeyboardInterrupt:
        code = 130
    import signal  # noqa: PLC0415 - 2 ms, which a hook does not have

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # pressed again: do not wait for threads
    if sys.flags.inspect:  # from PYTHONINSPECT: Python would report sys.exit as a failure, and end with exit code 1
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, OSError, ValueError):  # None, broken or closed
                stream.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
