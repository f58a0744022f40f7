"""``calserver principals``: all of them at once, as a table."""

from pathlib import Path

import click

from calserver.admin import Refused, accounts, database
from calserver.cli.options import PATH, config_option, json_option
from calserver.cli.output import print_json
from calserver.config import Config


@click.group("principals")
def command() -> None:
    """Many accounts at once, as comma-separated values.

    The first line names the columns: uid, password, name, email, guid, type, admin, groups, members, write_proxies,
    read_proxies, auto_schedule, auto_accept_group, scheduling. Only uid is required. Lists are separated by blanks.
    """


@command.command("import")
@click.argument("file", type=PATH)
@config_option
@json_option
def import_(file: Path, config: Config, as_json: bool) -> None:
    """Make and change principals as FILE says; all of it or nothing.

    Importing a table again changes nothing. Who is not in it stays.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Refused(f"{file} is not UTF-8") from None
    with database.directory(config) as store:
        give = accounts.provision_of(config)
        done = accounts.import_table(store, text, settings=config.calendars, give=give)
    if as_json:
        print_json(done)
    else:
        click.echo(f"{len(done.created)} added, {len(done.changed)} changed, {done.unchanged} as they were")


@command.command("export")
@click.option("--passwords", is_flag=True, help="With the hashes of the passwords, to move to another server.")
@click.option("--output", type=PATH, metavar="FILE", help="Write to this file instead of standard output.")
@config_option
@json_option
def export(passwords: bool, output: Path | None, config: Config, as_json: bool) -> None:
    """Print all principals as a table that import takes."""
    with database.directory(config) as store:
        if as_json:
            print_json(store.read_now(accounts.every))
            return
        text = store.read_now(lambda txn: accounts.export_table(txn, passwords=passwords))
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)
