"""``calserver serve``: the daemon in the foreground, as ``twistd -n calserver`` starts it."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from twisted.scripts import twistd

from calserver.cli.options import config_file_option
from calserver.config import Config


@click.command("serve")
@click.option(
    "--listen", multiple=True, metavar="ENDPOINT", help="Listen here instead of where the file says; repeatable."
)
@config_file_option
def command(listen: tuple[str, ...], config_file: Path) -> None:
    """Serve until SIGTERM or Ctrl-C; running requests are finished.

    The same as "twistd -n calserver --config FILE"; with twistd it can go into the background.
    """
    Config.load(config_file)  # what is wrong with it is told in one line, before anything starts
    serve(config_file, listen)


def serve(config_file: Path, listen: Sequence[str] = ()) -> None:
    """Run the daemon in this process until it is stopped."""
    endpoints = [argument for each in listen for argument in ("--listen", each)]
    sys.argv = ["twistd", "--nodaemon", "--pidfile=", "calserver", "--config", str(config_file), *endpoints]
    twistd.run()
