"""``calserver db``: the database of a server."""

import click

from calserver.admin import Refused, database
from calserver.cli.options import config_option, json_option
from calserver.cli.output import print_json
from calserver.config import Config


@click.group("db")
def command() -> None:
    """Upgrade or check the database."""


@command.command("upgrade")
@config_option
@json_option
def upgrade(config: Config, as_json: bool) -> None:
    """Make the tables, or bring them to what this version of calserver needs. Stop the server before, and back up."""
    before, after = database.check(config).found, database.upgrade(config).found
    if as_json:
        print_json({"before": before, "after": after})
    elif before == after:
        click.echo(f"the tables have revision {after} already")
    else:
        click.echo(f"the tables have revision {after} now")


@command.command("check")
@config_option
@json_option
def check(config: Config, as_json: bool) -> int:
    """Look for damage, and whether the tables are those that this version of calserver needs."""
    health = database.check(config)
    sound = health.current and not health.problems
    if as_json:
        print_json({"found": health.found, "wanted": health.wanted, "problems": health.problems, "sound": sound})
        return 0 if sound else 1
    if health.found is None:
        raise Refused("there are no tables (calserver db upgrade makes them)")
    if not health.current:
        raise Refused(f"the tables have revision {health.found}, wanted is {health.wanted} (calserver db upgrade)")
    if health.problems:
        raise Refused(*health.problems)
    click.echo(f"sound, revision {health.found}")
    return 0
