"""``calserver demo``: two organizations to try, on this machine, that schedule with each other."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from calserver.admin import Refused, demo, demo_sites, demo_story, nameserver
from calserver.cli import dns
from calserver.cli.options import PATH
from calserver.cli.output import print_table
from calserver.cli.reactor import run_async

LISTEN: Final = f"tcp:8008:interface={demo_sites.LOOPBACK}"
ALL: Final = "organizations"
"""The verb that need not be said."""
SOUTH_LISTEN: Final = f"tcp:8018:interface={demo_sites.LOOPBACK}"


class Demonstrations(click.Group):
    """``demo DIR``, and what is named after ``demo``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What is not the name of a verb are arguments of the demonstration of all."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [ALL, *args]
        return super().parse_args(ctx, args)


@click.group("demo", cls=Demonstrations)
def command() -> None:
    """Try it: "demo DIR" is two organizations on this machine that schedule with each other."""


command.add_command(dns.serve, "dns")


@command.command(ALL)
@click.argument("folder", metavar="[DIR]", type=PATH, required=False)
@click.option("--listen", metavar="ENDPOINT", help=f"Where north.example listens.  [default: {LISTEN}]")
@click.option("--south", metavar="ENDPOINT", help=f"Where south.example does.  [default: {SOUTH_LISTEN}]")
@click.option("--once", is_flag=True, help="End when a meeting has crossed; in a temporary directory unless given one.")
def organizations(folder: Path | None, listen: str | None, south: str | None, once: bool) -> None:
    """Serve two organizations from DIR, with accounts and events to try; made the first time, kept after that.

    They find each other by a small name server, like strangers. A meeting of both is made before your eyes; with --once
    the exit status says whether invitation, answer and free-busy time really crossed, on ports that are free.
    """
    if folder is None and not once:
        raise click.UsageError("name a directory, or say --once")
    usual = (
        [f"tcp:{port}:interface={demo_sites.LOOPBACK}" for port in demo_sites.free_ports(2)]
        if once
        else [LISTEN, SOUTH_LISTEN]
    )
    with tempfile.TemporaryDirectory() as temporary:
        sites = demo_sites.prepare(
            folder or Path(temporary) / "demo", listen=listen or usual[0], south_listen=south or usual[1]
        )
        run_async(lambda reactor: _run(reactor, sites, once=once))


async def _run(reactor: Any, sites: demo_sites.Sites, *, once: bool) -> None:
    names = nameserver.NameServer(sites.zones)
    await names.listen(reactor, demo_sites.LOOPBACK, sites.dns_port)
    servers = [Server(reactor, each) for each in (sites.north, sites.south)]
    reactor.addSystemEventTrigger("before", "shutdown", lambda: gatherResults([each.stop() for each in servers]))
    click.echo(f"{'Made' if sites.new else 'Serving what is in'} {sites.north.folder.parent}/\n")
    try:
        await demo_story.started(reactor, sites.north, sites.south)
        if sites.new or once:
            await demo_story.tell(reactor, sites.north, sites.south, click.echo)
    except demo_story.NotCrossed as problem:
        raise Refused(f"{problem}; {sites.north.log} and {sites.south.log} say more") from None
    if once:
        return
    guide(sites)
    ended = [each.ended for each in servers]
    await gatherResults(ended)
    raise Refused(f"a server has ended; {sites.north.log} and {sites.south.log} say why")


class Server(ProcessProtocol):
    """A server as a process of its own, whose words go to a file."""

    def __init__(self, reactor: Any, site: demo_sites.Site) -> None:
        self.ended: Deferred[None] = Deferred()
        self._site = site
        self._log = site.log.open("ab")
        command = [sys.executable, "-m", "calserver.cli", "serve", "--config", str(site.file)]
        command += ["--listen", site.listen, "--listen", site.secure]
        self._process = reactor.spawnProcess(self, command[0], command, env=None)

    def outReceived(self, data: bytes) -> None:
        """It says something."""
        self._log.write(data)
        self._log.flush()

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        """It has ended."""
        self._log.close()
        self.ended.callback(None)

    def stop(self) -> Deferred[None]:
        """End it; fires when it has."""
        gone: Deferred[None] = Deferred()
        self.ended.chainDeferred(gone)
        if self._process.pid is not None:
            self._process.signalProcess("TERM")
        return gone


def guide(sites: demo_sites.Sites, say: Callable[[str], None] = click.echo) -> None:
    """Print the accounts and what to type into clients."""
    say("")
    rows = []
    for site in (sites.north, sites.south):
        for each in site.organization.accounts:
            password = demo.PASSWORD if each.kind == "user" else "-"
            rows.append((site.url, each.uid, password, each.name, each.address(site.organization.domain)))
    print_table(("ADDRESS", "ACCOUNT", "PASSWORD", "WHO", "MAIL ADDRESS"), rows)
    url, prefix = sites.north.url, sites.north.config.server.public_prefix
    below = url.rstrip("/") + prefix
    say(f"""
Invite people of one organization in a calendar of the other, by their mail addresses.

Address       {url}
A calendar    {below}calendars/user/ann/Default/

Thunderbird   New Calendar, On the Network: ann, {url}, Find Calendars
Apple         Add Account, Other CalDAV Account, Advanced: ann, demo; path {prefix}principals/user/ann/, SSL off
DAVx5         Login with URL and user name: the address as the phone reaches it, ann, demo
Evolution     New Collection Account, Advanced Options: {url}, ann
A shell       curl -u ann:demo {below}calendars/user/ann/Default/

The name server answers on {demo_sites.LOOPBACK} port {sites.dns_port}. Ctrl-C stops all of it.
""")
