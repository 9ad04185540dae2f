"""`make stop`: stops the daemon that `make run` started."""

from __future__ import annotations

import click

from scripts import local_daemon


@click.command()
def main() -> None:
    """Stop the daemon that `make run` started, and no other."""
    click.echo(local_daemon.stop())


if __name__ == "__main__":
    main()
