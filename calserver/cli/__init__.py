"""The command line: ``calserver <verb>``, one module per verb.

Each verb parses its arguments, calls one function of ``admin`` (or starts the daemon), and prints what that returned:
for people, or with ``--json`` one JSON document for programs. ``options`` has what many verbs take, ``output`` how
things are printed. Nothing is decided here.

What goes wrong is one line on standard error. Exit status: 0 done, 1 refused (or done in part, where a verb says so),
2 wrong usage.
"""

import importlib
import sys
from collections.abc import Sequence
from typing import Final

import click

from calserver.admin import Refused
from calserver.config import ConfigError

__all__ = ["main"]

VERBS: Final = (
    "init",
    "demo",
    "serve",
    "config",
    "user",
    "principals",
    "calendar",
    "schedule",
    "acl",
    "delegate",
    "db",
    "dns",
    "keys",
    "federation",
    "mail",
    "cluster",
)
DONE, REFUSED, USAGE = 0, 1, 2


class Verbs(click.Group):
    """The verbs, each loaded when it is wanted: a module ``calserver.cli.<verb>`` with a ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order that a newcomer meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"calserver.cli.{cmd_name}").command
        return command


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="calserver")
def verbs() -> None:
    """A calendar server: CalDAV over an embedded database.

    Begin with "calserver demo DIR" to try it, or "calserver init DIR" to set one up.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a verb and exit with its status."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; returns the exit status."""
    try:
        status = verbs.main(arguments, prog_name="calserver", standalone_mode=False)
    except click.UsageError as error:
        _complain(error.format_message(), f" (see {error.ctx.command_path} --help)" if error.ctx else "")
        return USAGE
    except click.Abort:
        _complain("aborted")
        return REFUSED
    except click.ClickException as error:
        _complain(error.format_message())
        return REFUSED
    except (ConfigError, Refused) as error:
        for each in error.problems:
            _complain(each)
        return REFUSED
    except OSError as error:
        _complain(": ".join(filter(None, (error.filename and str(error.filename), error.strerror or str(error)))))
        return REFUSED
    return status if isinstance(status, int) else DONE


def _complain(text: str, hint: str = "") -> None:
    click.echo(f"calserver: {' '.join(text.split())}{hint}", err=True)
