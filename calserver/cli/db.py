"""``calserver db``: the database of a server."""

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from calserver.admin import Refused, database
from calserver.cli.options import config_option, json_option
from calserver.cli.output import print_json
from calserver.config import Config
from calserver.store import SchemaMismatch

TABLE = 16
"""Columns for the name of a table."""

directory_option = click.option(
    "--directory", is_flag=True, help="The directory of the cluster, in the place of the server's own database."
)


@click.group("db")
def command() -> None:
    """Upgrade, check or copy the database."""


@command.command("upgrade")
@directory_option
@config_option
@json_option
def upgrade(directory: bool, config: Config, as_json: bool) -> None:
    """Make the tables, or bring them to what this version of calserver needs.

    Stop the server before, and back up. Nodes may go on while the directory is upgraded (docs/cluster.md).
    """
    config = database.of_directory(config) if directory else config
    before, after = database.check(config).found, database.upgrade(config).found
    if as_json:
        print_json({"before": before, "after": after})
    elif before == after:
        click.echo(f"the tables have revision {after} already")
    else:
        click.echo(f"the tables have revision {after} now")


@command.command("check")
@directory_option
@config_option
@json_option
def check(directory: bool, config: Config, as_json: bool) -> int:
    """Look for damage, and whether the tables are those that this version of calserver needs."""
    health = database.check(database.of_directory(config) if directory else config)
    sound = health.current and not health.problems
    if as_json:
        print_json({"found": health.found, "wanted": health.wanted, "problems": health.problems, "sound": sound})
        return 0 if sound else 1
    if health.found is None:
        raise Refused("there are no tables (calserver db upgrade makes them)")
    if not health.current:
        raise Refused(database.told(SchemaMismatch(health.found)))
    if health.problems:
        raise Refused(*health.problems)
    click.echo(f"sound, revision {health.found}")
    return 0


@command.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@json_option
def copy(source: str, target: str, as_json: bool) -> None:
    """Move all of a store from one database to another.

    FROM and TO are URLs: sqlite:////var/lib/calserver/calserver.sqlite, postgresql://calserver@host/calserver. Stop the
    servers before; TO must be empty. A copy that was interrupted goes on when the same is asked for again. At the end
    all rows are compared.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    told = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    with Progress(*columns, console=told, transient=True, disable=as_json or not told.is_terminal) as progress:
        bar = progress.add_task("copying", total=None)

        def tell(table: str, done: int, total: int) -> None:
            progress.update(bar, description=f"{table:<{TABLE}}", completed=done, total=total)

        copied = database.copy(source, target, tell)
    if as_json:
        print_json(copied)
    else:
        click.echo(f"copied {sum(each.rows for each in copied)} rows, and all are the same")
