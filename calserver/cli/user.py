"""``calserver user``: people, and with ``--type`` groups, rooms and things."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from calserver.admin import accounts, database
from calserver.cli.options import config_option, json_option, password_options, read_password
from calserver.cli.output import print_fields, print_json, print_table
from calserver.config import Config

F = TypeVar("F", bound=Callable[..., Any])


@click.group("user")
def command() -> None:
    """Users, groups, rooms (location) and things (resource).

    NAME is a uid, type/uid (location/room1) or a mail address.
    """


def type_option(function: F) -> F:
    """``--type`` where a principal is looked for."""
    return click.option("--type", "kind", type=click.Choice(accounts.TYPES), help="Only a principal of this type.")(
        function
    )


@command.command("add")
@click.argument("uid")
@click.option(
    "--type", "kind", type=click.Choice(accounts.TYPES), default="user", show_default=True, help="What it is."
)
@click.option("--name", help="Full name.  [default: UID]")
@click.option("--first-name", help="Where it does not follow from the name.")
@click.option("--last-name", help="Where it does not follow from the name.")
@click.option("--email", "emails", multiple=True, help="Mail address; repeatable, the first is preferred.")
@click.option("--guid", help="A UUID that it has elsewhere.")
@click.option("--admin", is_flag=True, help="May read and change everything of everybody.")
@click.option("--no-scheduling", is_flag=True, help="May not be invited.")
@click.option(
    "--auto-schedule", type=click.Choice(accounts.AUTO_SCHEDULE), help="How the server answers its invitations."
)
@click.option(
    "--capacity", type=int, help="How many bookings at a time one that answers by itself takes.  [default: 1]"
)
@click.option("--no-password", is_flag=True, help="Cannot log in (as all but users, unless they get a password).")
@password_options
@config_option
@json_option
def add(
    uid: str,
    kind: str,
    emails: tuple[str, ...],
    admin: bool,
    no_scheduling: bool,
    no_password: bool,
    password_stdin: bool,
    password_file: Path | None,
    config: Config,
    as_json: bool,
    **facts: Any,
) -> None:
    """Make a user (or another principal) with the calendars that everybody has."""
    password = None
    if not no_password and (kind == "user" or password_stdin or password_file):
        password = read_password(uid, password_stdin=password_stdin, password_file=password_file)
    act = partial(
        accounts.add,
        uid=uid,
        kind=kind,
        settings=config.calendars,
        give=accounts.provision_of(config),
        password=password,
        addresses=emails,
        administrator=admin,
        scheduling=not no_scheduling,
        **facts,
    )
    with database.directory(config) as store:
        _print(store.write_now(act), as_json, "added")


@command.command("list")
@type_option
@config_option
@json_option
def list_(kind: str | None, config: Config, as_json: bool) -> None:
    """All principals, or those of a type."""
    with database.directory(config) as store:
        found = store.read_now(lambda txn: accounts.every(txn, kind))
    if as_json:
        print_json(found)
    else:
        rows = [(each.kind, each.uid, each.name, _plain(each.addresses), each.administrator) for each in found]
        print_table(("TYPE", "UID", "NAME", "EMAIL", "ADMIN"), rows)


@command.command("show")
@click.argument("name")
@type_option
@config_option
@json_option
def show(name: str, kind: str | None, config: Config, as_json: bool) -> None:
    """One principal with its groups and delegates."""
    with database.directory(config) as store:
        _print(store.read_now(lambda txn: accounts.show(txn, name, kind)), as_json)


@command.command("password")
@click.argument("name")
@type_option
@click.option("--none", is_flag=True, help="Take the password away: it cannot log in any more.")
@password_options
@config_option
@json_option
def password(
    name: str,
    kind: str | None,
    none: bool,
    password_stdin: bool,
    password_file: Path | None,
    config: Config,
    as_json: bool,
) -> None:
    """Set a new password; asked for at the terminal unless it comes from a file or standard input."""
    with database.directory(config) as store:
        found = store.read_now(lambda txn: accounts.show(txn, name, kind))
        new = None
        if not none:
            new = read_password(found.uid, password_stdin=password_stdin, password_file=password_file)
        _print(store.write_now(lambda txn: accounts.set_password(txn, name, new, kind)), as_json, "password changed")


@command.command("remove")
@click.argument("name")
@type_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@json_option
def remove(name: str, kind: str | None, yes: bool, config: Config, as_json: bool) -> None:
    """Remove a principal with all its calendars and files."""
    with database.directory(config) as store:
        found = store.read_now(lambda txn: accounts.show(txn, name, kind))
        if not yes:
            click.confirm(f"Remove the {found.kind} {found.uid} with everything it has?", abort=True, err=True)
        _print(store.write_now(lambda txn: accounts.remove(txn, name, kind)), as_json, "removed")


def _print(account: accounts.Account, as_json: bool, done: str = "") -> None:
    if as_json:
        print_json(account)
    elif done:
        click.echo(f"{account.kind} {account.uid}: {done}")
    else:
        print_fields(
            {
                "type": account.kind,
                "uid": account.uid,
                "name": account.name,
                "first name": account.first_name,
                "last name": account.last_name,
                "addresses": _plain(account.addresses),
                "guid": account.guid,
                "administrator": account.administrator,
                "may log in": account.enabled and account.has_password,
                "may be invited": account.scheduling,
                "answers by itself": account.auto_schedule,
                "for members of": account.auto_accept_group,
                "bookings at once": account.capacity,
                "groups": account.groups,
                "members": account.members,
                "may write for it": account.write_delegates,
                "may read for it": account.read_delegates,
            }
        )


def _plain(addresses: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each.removeprefix("mailto:") for each in addresses)
