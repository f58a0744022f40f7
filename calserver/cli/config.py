"""``calserver config``: is the configuration right, and what does it amount to."""

import tomllib
from pathlib import Path

import click

from calserver.cli.options import config_file_option, config_option, json_option
from calserver.cli.output import print_json
from calserver.cluster import Identity
from calserver.config import Config, ConfigError


@click.group("config")
def command() -> None:
    """Check or show the configuration."""


@command.command("check")
@config_file_option
@json_option
def check(config_file: Path, as_json: bool) -> int:
    """Read the configuration, and see that its files are there, and the keys of nodes right.

    Every mistake is a line with the option's path.
    """
    try:
        config = Config.load(config_file)
        if unreadable := config.unreadable():
            raise ConfigError(*unreadable)
        if config.cluster.node:
            Identity.of(config)
    except ConfigError as error:
        if not as_json:
            raise
        print_json({"file": config_file, "problems": error.problems})
        return 1
    if as_json:
        print_json({"file": config_file, "problems": []})
    else:
        click.echo(f"{config_file}: all right")
    return 0


@command.command("show")
@config_option
@json_option
def show(config: Config, as_json: bool) -> None:
    """Print every option with the value in effect; passwords are left out."""
    if as_json:
        print_json(tomllib.loads(config.show()))
    else:
        click.echo(config.show(), nl=False)
