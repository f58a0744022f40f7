"""``calserver acl``: who may do what with a home, a calendar, a file."""

import click

from calserver.admin import access, database
from calserver.cli.options import config_option, json_option
from calserver.cli.output import print_json, print_table
from calserver.config import Config
from calserver.dav import Extensions
from calserver.service import MOUNTS, SPOKEN
from calserver.tree import Mounts


@click.group("acl")
def command() -> None:
    """Access control lists: who may do what.

    PATH is that of a home, or of something in it (calendars/user/ann/Default/). WHO is a uid, type/uid (group/staff) or
    a mail address; or anyone, authenticated, anonymous, owner, read-delegates, write-delegates.

    RIGHTS are privileges (read, write, read-free-busy, CALDAV:schedule-send, ...), or letters: l and r read, w and n
    write properties, i write content, p add members, k make and x remove collections, t and e remove members,
    a administer, 9 see busy time (of an Inbox 9 8 7: be asked for it, be invited, be replied to; of an Outbox: ask,
    invite, reply).
    """


def _server(config: Config) -> access.Server:
    return access.Server(Extensions(SPOKEN), Mounts(MOUNTS), config.settings, config.server.public_prefix)


@command.command("show")
@click.argument("path")
@click.option("--of", "who", metavar="WHO", help="What WHO may do there, by all lists, groups and delegations.")
@config_option
@json_option
def show(path: str, who: str | None, config: Config, as_json: bool) -> None:
    """The list at PATH: entries in the order in which they count."""
    with database.opened(config) as store:
        if who is None:
            _print(store.read_now(lambda txn: access.show(txn, _server(config), path)), as_json)
            return
        held = store.read_now(lambda txn: access.held(txn, _server(config), path, who))
    if as_json:
        print_json(held)
    else:
        click.echo(f"{held.who}: {held.rights or 'nothing'}")
        for each in held.privileges:
            click.echo(f"  {each}")


@command.command("grant")
@click.argument("path")
@click.argument("who")
@click.argument("rights", nargs=-1, required=True)
@click.option("--deny", is_flag=True, help="Refuse RIGHTS instead, even if a group has them.")
@config_option
@json_option
def grant(path: str, who: str, rights: tuple[str, ...], deny: bool, config: Config, as_json: bool) -> None:
    """Give WHO more RIGHTS at PATH."""
    with database.opened(config) as store:
        _print(store.write_now(lambda txn: access.grant(txn, _server(config), path, who, rights, deny=deny)), as_json)


@command.command("revoke")
@click.argument("path")
@click.argument("who")
@click.argument("rights", nargs=-1)
@config_option
@json_option
def revoke(path: str, who: str, rights: tuple[str, ...], config: Config, as_json: bool) -> None:
    """Take RIGHTS of WHO, or all of them, out of the list at PATH."""
    with database.opened(config) as store:
        _print(store.write_now(lambda txn: access.revoke(txn, _server(config), path, who, rights)), as_json)


@command.command("reset")
@click.argument("path")
@config_option
@json_option
def reset(path: str, config: Config, as_json: bool) -> None:
    """Remove the list at PATH, so that the default holds again."""
    with database.opened(config) as store:
        _print(store.write_now(lambda txn: access.reset(txn, _server(config), path)), as_json)


def _print(place: access.Place, as_json: bool) -> None:
    if as_json:
        print_json(place)
        return
    rows = [
        (
            ("all but " if each.everybody_else else "") + each.who,
            "-" + each.rights if each.deny else each.rights,
            each.privileges,
            each.inherited_from or each.source,
        )
        for each in place.rules
    ]
    print_table(("WHO", "RIGHTS", "PRIVILEGES", "FROM"), rows)
