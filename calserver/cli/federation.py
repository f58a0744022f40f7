"""``calserver federation``: other organizations, and what waits to be sent to them."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import attrs
import click

from calserver.admin import database, federation
from calserver.cli.options import config_option, json_option
from calserver.cli.output import print_fields, print_json, print_table
from calserver.config import Config


@click.group("federation")
def command() -> None:
    """Scheduling with other organizations: what is known of them, and the letters that wait.

    All of it works beside a running server.
    """


@command.command("peers")
@config_option
@json_option
def peers(config: Config, as_json: bool) -> None:
    """All domains that were ever sent something, or sent something, or are named in the configuration."""
    with database.opened(config) as store:
        found = store.read_now(lambda txn: federation.peers(txn, config))
    if as_json:
        print_json(found)
        return
    heads = ("DOMAIN", "SINCE", "LAST SENT", "LAST RECEIVED", "FAILURES", "WAITING", "NEXT TRY", "RULES", "WHY")
    print_table(
        heads,
        [
            (
                each.domain,
                _time(each.since),
                _time(each.sent),
                _time(each.received),
                each.failures or "",
                each.waiting or "",
                _time(each.due),
                _brief(each.rules),
                each.problem,
            )
            for each in found
        ],
    )


@command.command("queue")
@click.option("--letters", "one_by_one", is_flag=True, help="One by one instead of by domain.")
@config_option
@json_option
def queue(one_by_one: bool, config: Config, as_json: bool) -> None:
    """What waits to be sent; times are UTC."""
    with database.opened(config) as store:
        if one_by_one:
            letters = store.read_now(federation.queue)
            print_json(letters) if as_json else _print_letters(letters)
            return
        found = [each for each in store.read_now(lambda txn: federation.peers(txn, config)) if each.waiting]
    if as_json:
        print_json(found)
        return
    print_table(
        ("DOMAIN", "WAITING", "NEXT TRY", "FAILURES", "WHY"),
        [
            (
                each.domain,
                each.waiting,
                _time(each.due),
                each.failures or "",
                each.problem,
            )
            for each in found
        ],
    )


@command.command("show")
@click.argument("domain")
@config_option
@json_option
def show(domain: str, config: Config, as_json: bool) -> None:
    """Everything about DOMAIN: what is known of it, what the configuration says, and the letters to it."""
    with database.opened(config) as store:
        found, letters = store.read_now(lambda txn: federation.show(txn, config, domain))
    if as_json:
        print_json(attrs.asdict(found, recurse=False) | {"letters": letters})
        return
    rules = found.rules
    print_fields(
        {
            "domain": found.domain,
            "known since": _time(found.since) or "(nothing was ever sent there, or came from there)",
            "last sent": _time(found.sent),
            "last received": _time(found.received),
            "failures since": found.failures or "",
            "why": found.problem,
            "waiting": found.waiting or "",
            "next try": _time(found.due),
            "rules": _brief(rules),
            "invitations": f"{rules.invitations}, of strangers {rules.strangers}",
            "answers": "taken" if rules.replies else "not taken",
            "free-busy time": {"none": "not told", "busy": "when busy", "types": "busy, tentative or away"}[
                rules.free_busy
            ],
            "signs for": rules.hosted_domains,
            "keys": "only those exchanged privately" if rules.pinned else "",
            "unsigned from": rules.unsigned_networks,
            "servers": rules.urls,
        }
    )
    if letters:
        click.echo()
        _print_letters(letters)


@command.command("retry")
@click.argument("domain")
@click.argument("address", required=False)
@config_option
@json_option
def retry(domain: str, address: str | None, config: Config, as_json: bool) -> None:
    """Try the letters to DOMAIN now, or those to one ADDRESS there."""
    with database.opened(config) as store:
        found = store.write_now(lambda txn: federation.retry(txn, domain, address))
    _tell(found, "to be tried now", as_json)


@command.command("drop")
@click.argument("domain")
@click.argument("address", required=False)
@config_option
@json_option
def drop(domain: str, address: str | None, config: Config, as_json: bool) -> None:
    """Give up the letters to DOMAIN, or those to one ADDRESS there; their senders see that (SCHEDULE-STATUS 5.1)."""
    with database.opened(config) as store:
        found = federation.drop(store, config, domain, address)
    _tell(found, "given up", as_json)


def _tell(count: int, what: str, as_json: bool) -> None:
    if as_json:
        print_json({"letters": count})
    else:
        click.echo(f"{count} letter{'' if count == 1 else 's'} {what}")


def _print_letters(found: Sequence[federation.Waiting]) -> None:
    print_table(
        ("FROM", "TO", "METHOD", "UID", "SINCE", "TRIES", "NEXT TRY"),
        [
            (
                _plain(each.originator),
                _plain(each.recipient),
                each.method,
                each.uid,
                _time(each.since),
                each.attempts,
                _time(each.due),
            )
            for each in found
        ],
    )


def _brief(rules: federation.Rules) -> str:
    """The rules in a few words."""
    if not rules.talks:
        return "not talked to"
    words: Iterable[str] = (f"as {rules.peer}",) if rules.peer else ()
    return ", ".join(words) or "usual"


def _plain(address: str) -> str:
    return address.removeprefix("mailto:")


def _time(when: datetime | None) -> str:
    return "" if when is None else f"{when:%Y-%m-%d %H:%M:%S}"
