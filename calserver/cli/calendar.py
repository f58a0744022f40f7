"""``calserver calendar``: the calendars of people and rooms, and files in and out of them."""

import sys
from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from calserver.admin import Refused, accounts, calendar_export, calendar_import, calendars, database, ics_files
from calserver.calendars.publishing import FREE_BUSY, READ
from calserver.cli.options import PATH, config_option, json_option
from calserver.cli.output import print_json, print_table
from calserver.config import Config


@click.group("calendar")
def command() -> None:
    """Calendars of people, rooms and things.

    OWNER is a uid, type/uid (location/room1) or a mail address, CALENDAR the last part of its URL (Default).
    """


@command.command("list")
@click.argument("owner")
@config_option
@json_option
def list_(owner: str, config: Config, as_json: bool) -> None:
    """The calendars of OWNER."""
    with database.opened(config) as store:
        found = store.read_now(lambda txn: calendars.calendars(txn, accounts.named(txn, owner)))
    if as_json:
        print_json(found)
    else:
        rows = [
            (each.name, each.display_name, each.components or "any", each.objects, each.published or "")
            for each in found
        ]
        print_table(("CALENDAR", "TITLE", "COMPONENTS", "OBJECTS", "PUBLIC"), rows)


@command.command("create")
@click.argument("owner")
@click.argument("calendar")
@click.option("--name", help="Title that clients show.  [default: CALENDAR]")
@click.option("--component", "components", multiple=True, help="VEVENT, VTODO, ...; repeatable.  [default: all]")
@click.option("--color", help="#RRGGBB or #RRGGBBAA.")
@config_option
@json_option
def create(
    owner: str,
    calendar: str,
    name: str | None,
    components: tuple[str, ...],
    color: str | None,
    config: Config,
    as_json: bool,
) -> None:
    """Make a calendar."""
    with database.opened(config) as store:
        made = store.write_now(
            lambda txn: calendars.create(
                txn,
                accounts.named(txn, owner),
                calendar,
                display_name=name,
                components=tuple(each.upper() for each in components),
                color=color,
            )
        )
    if as_json:
        print_json(made)
    else:
        click.echo(f"{config.server.public_prefix}{made.path}: made")


@command.command("delete")
@click.argument("owner")
@click.argument("calendar")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@json_option
def delete(owner: str, calendar: str, yes: bool, config: Config, as_json: bool) -> None:
    """Remove a calendar with everything in it."""
    with database.opened(config) as store:
        found = store.read_now(lambda txn: calendars.show(txn, accounts.named(txn, owner), calendar))
        if not yes:
            click.confirm(f"Remove {found.path} with {found.objects} objects?", abort=True, err=True)
        gone = store.write_now(lambda txn: calendars.delete(txn, accounts.named(txn, owner), calendar))
    if as_json:
        print_json(gone)
    else:
        click.echo(f"{config.server.public_prefix}{gone.path}: removed with {gone.objects} objects")


@command.command("publish")
@click.argument("owner")
@click.argument("calendar")
@click.option("--free-busy", is_flag=True, help="Only when it is busy, and nothing else.")
@config_option
@json_option
def publish(owner: str, calendar: str, free_busy: bool, config: Config, as_json: bool) -> None:
    """Let anybody read a calendar without logging in."""
    if not config.dav.anonymous:
        raise Refused("nothing is public on this server: dav.anonymous is false")
    what = FREE_BUSY if free_busy else READ
    with database.opened(config) as store:
        made = store.write_now(lambda txn: calendars.publish(txn, accounts.named(txn, owner), calendar, what))
    if as_json:
        print_json(made)
    else:
        click.echo(f"{config.server.public_prefix}{made.path}: {_PUBLISHED[what]}")


@command.command("unpublish")
@click.argument("owner")
@click.argument("calendar")
@config_option
@json_option
def unpublish(owner: str, calendar: str, config: Config, as_json: bool) -> None:
    """End that."""
    with database.opened(config) as store:
        made = store.write_now(lambda txn: calendars.unpublish(txn, accounts.named(txn, owner), calendar))
    if as_json:
        print_json(made)
    else:
        click.echo(f"{config.server.public_prefix}{made.path}: not public")


_PUBLISHED = {READ: "anybody may read it", FREE_BUSY: "anybody may see when it is busy"}


@command.command("export")
@click.argument("owner")
@click.argument("calendar")
@click.option("--output", type=PATH, metavar="FILE", help="Write to this file instead of standard output.")
@click.option("--folder", type=PATH, metavar="DIR", help="Write each object to a file of its own, as it is stored.")
@config_option
@json_option
def export(owner: str, calendar: str, output: Path | None, folder: Path | None, config: Config, as_json: bool) -> None:
    """Write a calendar as one iCalendar file, or as a folder of them."""
    if output and folder:
        raise click.UsageError("--output and --folder exclude each other")
    with database.opened(config) as store:
        if folder:
            files = store.read_now(
                lambda txn: calendar_export.to_folder(txn, accounts.named(txn, owner), calendar, folder)
            )
            facts: dict[str, object] = {"folder": folder, "objects": len(files)}
        else:
            text = store.read_now(lambda txn: calendar_export.to_text(txn, accounts.named(txn, owner), calendar))
            facts = {"file": output, "bytes": len(text)}
            if output:
                output.write_bytes(text)
            elif as_json:
                facts["icalendar"] = text.decode()
            else:
                sys.stdout.buffer.write(text)
                return
    if as_json:
        print_json(facts)
    else:
        click.echo(f"{output or folder}: written")


@command.command("import")
@click.argument("owner")
@click.argument("calendar")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=PATH)
@config_option
@json_option
def import_(owner: str, calendar: str, paths: tuple[Path, ...], config: Config, as_json: bool) -> int:
    """Store iCalendar files (or all in folders) in a calendar.

    A file may hold many events; each UID becomes an object of its own, with its time zones. Started again after an
    interruption it goes on, since what is there already stays. What cannot be stored is told, and left out: the exit
    status is 1 then.
    """
    files = ics_files.find(paths)
    outcomes: Counter[str] = Counter()
    refused: list[calendar_import.Imported] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    told = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    with (
        database.opened(config) as store,
        Progress(*columns, console=told, transient=True, disable=as_json or not told.is_terminal) as progress,
    ):
        bar = progress.add_task("importing", total=sum(each.stat().st_size for each in files))
        for each in calendar_import.import_files(store, owner, calendar, files, settings=config.calendars):
            progress.update(bar, advance=each.progress_bytes, description=each.file.name[-30:])
            outcomes[each.outcome] += 1
            if each.outcome == calendar_import.REFUSED:
                refused.append(each)
                if not as_json:
                    about = f" (UID {each.uid})" if each.uid else ""
                    told.print(f"calserver: {each.file}{about}: {each.reason}")
    if as_json:
        counts = {outcome: outcomes[outcome] for outcome in calendar_import.OUTCOMES}
        problems = [{"file": str(each.file), "uid": each.uid, "reason": each.reason} for each in refused]
        print_json({**counts, "problems": problems})
    else:
        click.echo(", ".join(f"{outcomes[outcome]} {outcome}" for outcome in calendar_import.OUTCOMES))
    return 1 if refused else 0
