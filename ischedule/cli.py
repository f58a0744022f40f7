"""``ischedule`` on the command line: ping a domain, verify a captured message, make a key; each explains what it finds.

Exit status: 0 all is well, 1 something is not, 2 wrong usage.
"""

import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import attrs
import click
from twisted.internet.defer import Deferred
from twisted.internet.ssl import Certificate
from twisted.internet.task import react

from ischedule import dkim
from ischedule.agent import GuardedAgent
from ischedule.client import Client
from ischedule.discovery import Discovery
from ischedule.domains import a_labels, domain_of
from ischedule.explain import Question, Step, explain_domain, explain_message, read_capture
from ischedule.guard import Guard
from ischedule.keyfetch import KeyFetcher
from ischedule.receiver import Keys
from ischedule.resolver import NameServer, Resolver, TemporaryFailure

STRING_OCTETS: Final = 255
"""What one string of a TXT record holds."""

Explain = Callable[[Any, Resolver], AsyncIterator[Step]]

resolver_option = click.option(
    "--resolver", "resolvers", multiple=True, metavar="IP[:PORT]", help="Ask this name server.  [default: the system's]"
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document for programs.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="calserver")
def commands() -> None:
    """Scheduling between calendar servers: is everything as it should be, and if not, what is it?"""


@commands.command()
@click.argument("domain")
@click.option("--selector", default="", help="Look at this key of DOMAIN, too.")
@click.option("--ask", "recipient", metavar="ADDRESS", help="Ask for the free-busy time of a user of DOMAIN.")
@click.option("--as", "originator", metavar="ADDRESS", help="Who asks: a user of the domain whose key signs.")
@click.option("--key", "key_file", type=click.Path(path_type=Path), help="The private key (PEM) that signs.")
@click.option("--key-selector", help="The selector of that key.")
@click.option("--ca", type=click.Path(path_type=Path), help="Believe the authorities in this file (PEM) only.")
@click.option("--allow", "networks", multiple=True, metavar="NETWORK", help="Connect to this private network, too.")
@resolver_option
@json_option
def ping(
    domain: str,
    selector: str,
    recipient: str | None,
    originator: str | None,
    key_file: Path | None,
    key_selector: str | None,
    ca: Path | None,
    networks: tuple[str, ...],
    resolvers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Find the service of DOMAIN, connect to each server, and say what it accepts.

    With --ask, --as, --key and --key-selector: send a signed question for free-busy time as well.
    """
    try:
        domain = a_labels(domain)
        guard = Guard(allow=tuple(map(ip_network, networks)))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    question = _question(recipient, originator, key_file, key_selector)
    trust = Certificate.loadPEM(_read(ca)) if ca else None

    async def explain(reactor: Any, resolver: Resolver) -> AsyncIterator[Step]:
        agent = GuardedAgent(reactor, resolver, guard=guard, trust=(trust,) if trust else ())
        keys = KeyFetcher(resolver, reactor, agent=agent)
        client = Client(
            agent, Discovery(resolver, reactor), _no_key if question is None else lambda _: question.key, reactor
        )
        try:
            async for step in explain_domain(domain, client, resolver, keys, selector=selector, question=question):
                yield step
        finally:
            await agent.close()

    _tell(explain, resolvers, as_json)


@commands.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--at", metavar="TIME", help="When it was received (ISO 8601), if not now.")
@click.option("--record", "records", multiple=True, help="The key record, if not the one in the DNS.")
@resolver_option
@json_option
def verify(file: Path, at: str | None, records: tuple[str, ...], resolvers: tuple[str, ...], as_json: bool) -> None:
    """Verify a request in FILE, as it went over the wire: header fields, a blank line, the body."""
    try:
        fields, body = read_capture(_read(file))
        now = _instant(at)
    except ValueError as error:
        raise click.UsageError(str(error)) from None

    async def explain(reactor: Any, resolver: Resolver) -> AsyncIterator[Step]:
        keys: Keys = Given(records) if records else KeyFetcher(resolver, reactor)
        async for step in explain_message(fields, body, keys, now=now):
            yield step

    _tell(explain, resolvers, as_json)


@commands.command()
@click.argument("domain")
@click.option("--selector", default="cal1", show_default=True, help="The name of the key.")
@click.option("--algorithm", type=click.Choice(["rsa", "ed25519"]), default="rsa", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Where to write it.  [default: DOMAIN.SELECTOR.pem]")
@click.option("--any-service", is_flag=True, help="Let the key sign the mail of the domain, too.")
@json_option
def keygen(domain: str, selector: str, algorithm: str, out: Path | None, any_service: bool, as_json: bool) -> None:
    """Make a key for DOMAIN: write the private one to a file, and print the record for the DNS."""
    try:
        domain = a_labels(domain)
        a_labels(selector)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    key = dkim.generate(algorithm)
    path = out or Path(f"{domain}.{selector}.pem")
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(dkim.private_text(key))
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None
    record = dkim.key_record(key, service="*" if any_service else "ischedule")
    name = f"{selector}._domainkey.{domain}."
    if as_json:
        click.echo(json.dumps({"file": str(path), "name": name, "type": "TXT", "content": record}, indent=2))
        return
    click.echo(f"The private key is in {path}. Publish this:\n")
    strings = (f'"{record[at : at + STRING_OCTETS]}"' for at in range(0, len(record), STRING_OCTETS))
    click.echo(f"{name} TXT ( {' '.join(strings)} )")


@attrs.frozen
class Given:
    """Keys that are known already."""

    records: tuple[str, ...]

    async def fetch(self, query: dkim.KeyQuery, *, fresh: bool = False) -> tuple[str, ...]:
        """The same for all."""
        return self.records


def _question(
    recipient: str | None, originator: str | None, key_file: Path | None, selector: str | None
) -> Question | None:
    given = (recipient, originator, key_file, selector)
    if not any(given):
        return None
    if not recipient or not originator or not key_file or not selector:
        raise click.UsageError("--ask, --as, --key and --key-selector belong together")
    who, whom = (each if ":" in each else f"mailto:{each}" for each in (originator, recipient))
    try:
        domain_of(whom)
        private = dkim.load_private_key(_read(key_file))
        key = dkim.SigningKey(domain=domain_of(who), selector=selector, private=private)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return Question(originator=who, recipient=whom, key=key)


def _no_key(domain: str) -> dkim.SigningKey:
    raise LookupError(f"there is no key for {domain}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None


def _instant(text: str | None) -> float:
    if text is None:
        return time.time()
    when = datetime.fromisoformat(text)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _tell(explain: Explain, resolvers: tuple[str, ...], as_json: bool) -> None:
    """Print the steps as they come, or all of them as JSON, and exit."""
    try:
        servers = [NameServer.parse(each) for each in resolvers]
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    steps: list[Step] = []

    async def run(reactor: Any) -> None:
        try:
            async for step in explain(reactor, Resolver(reactor, servers=servers)):
                steps.append(step)
                if not as_json:
                    click.echo(str(step))
        except TemporaryFailure as failure:  # of a name that is looked up beside the steps
            steps.append(Step("names", False, str(failure)))
        if as_json:
            click.echo(json.dumps([attrs.asdict(step) for step in steps], indent=2, ensure_ascii=False))
        if any(step.good is False for step in steps):
            raise SystemExit(1)

    react(lambda reactor: Deferred.fromCoroutine(run(reactor)))


def main() -> None:
    """Run a command and exit with its status."""
    sys.exit(commands.main(prog_name="ischedule"))
