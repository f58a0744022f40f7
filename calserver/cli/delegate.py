"""``calserver delegate``: who acts for whom."""

import click

from calserver.admin import database, delegates
from calserver.cli.options import config_option, json_option
from calserver.cli.output import print_json, print_table
from calserver.config import Config


@click.group("delegate")
def command() -> None:
    """Delegates: who may read the calendars of somebody, or change them.

    PRINCIPAL and DELEGATE are a uid, type/uid (location/room1, group/staff) or a mail address. All members of a group
    that is a delegate may act.
    """


@command.command("list")
@click.argument("principal")
@click.option("--of", "acting", is_flag=True, help="For whom PRINCIPAL acts, instead of who acts for it.")
@config_option
@json_option
def list_(principal: str, acting: bool, config: Config, as_json: bool) -> None:
    """Who acts for PRINCIPAL."""
    look = delegates.delegators if acting else delegates.delegates
    with database.directory(config) as store:
        found = store.read_now(lambda txn: look(txn, principal))
    if as_json:
        print_json(found)
    else:
        print_table(
            ("PRINCIPAL", "DELEGATE", "ACCESS"), [(each.principal, each.delegate, each.access) for each in found]
        )


@command.command("add")
@click.argument("principal")
@click.argument("delegate")
@click.option("--write", is_flag=True, help="Let DELEGATE change the calendars too, and invite for PRINCIPAL.")
@config_option
@json_option
def add(principal: str, delegate: str, write: bool, config: Config, as_json: bool) -> None:
    """Let DELEGATE act for PRINCIPAL: read its calendars, or with --write change them."""
    with database.directory(config) as store:
        made = store.write_now(lambda txn: delegates.add(txn, principal, delegate, "write" if write else "read"))
    if as_json:
        print_json(made)
    else:
        click.echo(f"{made.delegate}: {made.access} delegate of {made.principal}")


@command.command("remove")
@click.argument("principal")
@click.argument("delegate")
@config_option
@json_option
def remove(principal: str, delegate: str, config: Config, as_json: bool) -> None:
    """Let DELEGATE not act for PRINCIPAL any more."""
    with database.directory(config) as store:
        gone = store.write_now(lambda txn: delegates.remove(txn, principal, delegate))
    if as_json:
        print_json(gone)
    else:
        click.echo(f"{gone.delegate}: no delegate of {gone.principal} any more")
