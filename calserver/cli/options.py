"""What many verbs take: the configuration, JSON instead of text, and passwords that never stand among the arguments."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from calserver.admin import Refused
from calserver.config import Config

F = TypeVar("F", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)


def config_option(function: F) -> F:
    """``--config FILE``: the verb gets ``config``, loaded and checked."""
    return _config("config", lambda path: Config.load(path))(function)


def config_file_option(function: F) -> F:
    """``--config FILE``: the verb gets ``config_file``, the path as it was given."""
    return _config("config_file", lambda path: path)(function)


def _config(name: str, load: Callable[[Path], Any]) -> Callable[[F], F]:
    def given(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> Any:
        if ctx.resilient_parsing:
            return None
        if value is None:
            raise click.UsageError("which server? give --config FILE or set CALSERVER_CONFIG", ctx)
        return load(value)

    return click.option(
        "--config",
        name,
        type=PATH,
        envvar="CALSERVER_CONFIG",
        callback=given,
        metavar="FILE",
        help="The configuration file; also taken from the environment, CALSERVER_CONFIG.",
    )


def json_option(function: F) -> F:
    """``--json``: the verb gets ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(function)


def password_options(function: F) -> F:
    """Where a password comes from; the verb gives the two arguments to `read_password`."""
    in_file = click.option("--password-file", type=PATH, help="Read the password from the first line of this file.")
    on_stdin = click.option(
        "--password-stdin", is_flag=True, help="Read the password from the first line of standard input."
    )
    return in_file(on_stdin(function))


def read_password(user: str, *, password_stdin: bool, password_file: Path | None) -> str:
    """The password: from standard input, a file, or asked for twice at the terminal.

    Raises:
        Refused: it is empty, or there is nobody to ask.
    """
    if password_stdin and password_file:
        raise click.UsageError("--password-stdin and --password-file exclude each other")
    if password_file:
        password = password_file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    elif password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = click.prompt(f"Password of {user}", hide_input=True, confirmation_prompt=True, err=True)
    else:
        raise Refused("there is no terminal to ask for the password; use --password-stdin or --password-file")
    if not password:
        raise Refused("the password is empty")
    return str(password)
