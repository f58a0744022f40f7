"""``calserver dns``: what to publish so that clients and other servers find the server, and whether it is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import attrs
import click
from twisted.internet.defer import Deferred

from calserver import scheduling
from calserver.admin import dns, federation_check, keys, nameserver, outside
from calserver.cli.options import PATH, config_option, json_option
from calserver.cli.output import print_json, print_table
from calserver.cli.reactor import run_async
from calserver.config import Config
from ischedule.capabilities import numbered
from ischedule.resolver import NameServer

F = TypeVar("F", bound=Callable[..., Any])


def place_options(function: F) -> F:
    """Where the server is, as others see it: the verb gets `place`, keyword arguments of `dns.records`."""
    options = (
        click.option("--host", help="Name of this server as clients see it.  [default: cal.DOMAIN]"),
        click.option("--port", default=443, show_default=True, help="Port for TLS as clients see it."),
        click.option("--plain-port", type=int, help="Port for clear text, if that is offered."),
        click.option("--address", "addresses", multiple=True, help="IP address of the host, if it needs records."),
        click.option(
            "--ischedule/--no-ischedule",
            default=None,
            help="Other servers may deliver.  [default: as ischedule.enabled says]",
        ),
        click.option("--key-lookup", is_flag=True, help="Keys can be fetched from this server, too."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group("dns")
def command() -> None:
    """DNS records by which clients set themselves up and other servers find this one."""


@command.command("records")
@click.argument("domain")
@place_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["zone", "list"]),
    default="zone",
    show_default=True,
    help="A zone file, or a list for web forms.",
)
@config_option
@json_option
def records(domain: str, form: str, config: Config, as_json: bool, **place: Any) -> None:
    """The records to publish for mail addresses of DOMAIN (RFC 6764, iSchedule, DKIM).

    Prints a piece of a zone file, or a list for web forms of providers.
    """
    found = wanted(config, domain, place)
    if as_json:
        print_json([record.fields for record in found])
    elif form == "list":
        print_table(("NAME", "TYPE", "CONTENT", "FOR"), [(r.name, r.type, r.value, r.purpose) for r in found])
    else:
        click.echo(dns.zone(domain, found), nl=False)


def wanted(config: Config, domain: str, place: dict[str, Any]) -> tuple[dns.Record, ...]:
    """The records of a domain that this server is for."""
    delivered = _delivered(config, place)
    signing = keys.key_records(config) if delivered else {}
    return dns.records(domain, path=config.server.public_prefix, keys=signing, **{**place, "ischedule": delivered})


def _delivered(config: Config, place: dict[str, Any]) -> bool:
    """Whether other servers may deliver."""
    said = place["ischedule"]
    return config.ischedule.enabled if said is None else bool(said)


@command.command("check")
@click.argument("domain")
@place_options
@click.option(
    "--resolver",
    "resolvers",
    multiple=True,
    metavar="ADDRESS[:PORT]",
    help="Ask this resolver, and no other.  [default: those of the system]",
)
@click.option("--authority", type=PATH, help="Certificates (PEM) to be believed instead of those of the system.")
@click.option("--allow", multiple=True, metavar="NETWORK", help="Connect to this network although it is a private one.")
@config_option
@json_option
def check(
    domain: str,
    resolvers: tuple[str, ...],
    authority: Path | None,
    allow: tuple[str, ...],
    config: Config,
    as_json: bool,
    **place: Any,
) -> int:
    """What is really published for DOMAIN, and whether it leads here; exits with 1 if something does not work."""
    records = wanted(config, domain, place)
    asked = outside.Outside.parse(resolvers=resolvers, authority=authority, allow=allow)
    expected = None
    if _delivered(config, place):
        expected = federation_check.Expected(
            capabilities=numbered(scheduling.capabilities(config)), key=keys.signing_key(config, dns.named(domain))
        )
    found = run_async(lambda reactor: outside.check(reactor, asked, domain, records, expected))
    if expected is not None:
        found += [*federation_check.check_hosted(config, dns.named(domain)), *keys.check(config)]
    if as_json:
        print_json(found)
    else:
        marks = {"ok": "ok", "warning": "WARN", "error": "ERROR"}
        for each in found:
            click.echo(f"{marks[each.level]:<6}{each.subject}: {each.text}")
    return 1 if any(each.level == "error" for each in found) else 0


@click.command("dns")
@click.argument("domains", metavar="DOMAIN...", nargs=-1, required=True)
@place_options
@click.option("--listen", default="127.0.0.1:5354", show_default=True, metavar="ADDRESS:PORT", help="Where to answer.")
@config_option
def serve(domains: tuple[str, ...], listen: str, config: Config, **place: Any) -> None:
    """Answer for DOMAINs as their name server would, with the records of this server: for demonstrations and tests."""
    address, port = _listening(listen)
    zones = {}
    for name in map(dns.named, domains):
        zones[name] = nameserver.complete(name, dns.zone(name, wanted(config, name, place)), address=address)

    async def run(reactor: Any) -> None:
        server = nameserver.NameServer(zones)
        chosen = await server.listen(reactor, address, port)
        click.echo(f"Answering for {', '.join(zones)} on {address} port {chosen}. Ctrl-C stops it.")
        await Deferred()

    run_async(run)


def _listening(text: str) -> tuple[str, int]:
    """Where to answer; port 0 lets the system choose one."""
    address, colon, port = text.rpartition(":")
    try:
        return (address.strip("[]"), 0) if colon and port == "0" else attrs.astuple(NameServer.parse(text))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
