"""``calserver schedule``: who was sent what and why, and whether organizers and attendees have the same."""

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from calserver.admin import database, schedule
from calserver.cli.options import config_option, json_option
from calserver.cli.output import print_json, print_table
from calserver.cli.reactor import run_async
from calserver.cluster import caller_of, explained
from calserver.config import Config
from calserver.meetings.agreement import Disagreement


@click.group("schedule")
def command() -> None:
    """Invitations and answers."""


@command.command("explain")
@click.argument("what")
@config_option
@json_option
def explain(what: str, config: Config, as_json: bool) -> None:
    """Say who was sent what and why, and how each copy stands; in a cluster all nodes are asked.

    WHAT is the URL of a calendar object, OWNER/CALENDAR/NAME, or the UID of a meeting that may be gone.
    """
    with database.opened(config) as store:
        if config.cluster.node:
            found, away = run_async(lambda reactor: explained(store, config, caller_of(config, reactor), what))
        else:
            found, away = store.read_now(lambda txn: schedule.explain(txn, what, config)), {}
    for node, why in away.items():
        click.echo(f"what {node} knows is missing: {why}", err=True)
    if as_json:
        print_json(found)
        return
    click.echo(f"UID {found.uid}\n")
    print_table(
        ("ROLE", "ADDRESS", "PRINCIPAL", "AGENT", "STATUS", "ANSWER", "OWN ANSWER", "SEQUENCE", "COPY"),
        [
            (
                each.role,
                each.address,
                each.principal or "(elsewhere)",
                each.agent,
                each.status,
                each.answer,
                each.own_answer,
                each.sequence,
                each.copy or "(none)",
            )
            for each in found.participants
        ],
    )
    click.echo()
    print_table(
        ("AT", "METHOD", "SEQUENCE", "FROM", "TO", "WHY", "STATUS", "OUTCOME"),
        [
            (
                f"{each.at:%Y-%m-%d %H:%M:%S}Z",
                each.method,
                "" if each.sequence is None else each.sequence,
                each.originator,
                to,
                each.reason,
                each.status,
                each.outcome,
            )
            for each in found.sent
            for to in each.recipients
        ],
    )
    for each in found.wrong:
        click.echo(f"\n{each.kind}: {each.attendee}: {'; '.join(each.texts)}")


@command.command("check")
@click.option("--repair", is_flag=True, help="Give attendees whose copies differ what the organizer has.")
@config_option
@json_option
def check(repair: bool, config: Config, as_json: bool) -> int:
    """Compare the copies of organizers with those of attendees.

    What differs is told, and with --repair brought into line. A copy that is gone is told only: its owner may have
    removed it without an answer. One whose organizer has no such meeting is told only, too. The exit status is 1 where
    something differs (still), or an organizer has no such meeting.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    told = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    found: list[Disagreement] = []
    repaired: list[Disagreement] = []
    looked_at = 0
    with (
        database.opened(config) as store,
        Progress(*columns, console=told, transient=True, disable=as_json or not told.is_terminal) as progress,
    ):
        owners = schedule.principals(store)
        bar = progress.add_task("comparing", total=len(owners))
        for each in schedule.check(store, config, owners, repair=repair):
            progress.update(bar, advance=1, description=each.principal[-30:])
            looked_at += each.looked_at
            found += each.found
            repaired += each.repaired
            if not as_json:
                for wrong in each.found:
                    done = ", repaired" if wrong in each.repaired else ""
                    click.echo(f"{wrong.kind}{done}: {wrong.uid}: {wrong.attendee}: {'; '.join(wrong.texts)}")
    left = [each for each in found if each.kind != "gone" and each not in repaired]
    if as_json:
        print_json({"objects": looked_at, "found": found, "repaired": repaired})
    else:
        click.echo(f"{looked_at} looked at, {len(found)} found, {len(repaired)} repaired")
    return 1 if left else 0
