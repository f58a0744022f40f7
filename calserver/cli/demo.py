"""``calserver demo``: a server to try, with accounts and events in it."""

import re
from datetime import datetime
from pathlib import Path

import click

from calserver.admin import database, demo, installation
from calserver.cli.options import PATH
from calserver.cli.output import print_table
from calserver.cli.serve import serve
from calserver.config import Config

LISTEN = "tcp:8008:interface=127.0.0.1"


@click.command("demo")
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--listen", default=LISTEN, show_default=True, metavar="ENDPOINT", help="Where to listen.")
@click.option("--no-serve", is_flag=True, help="Only make DIR.")
def command(folder: Path, listen: str, no_serve: bool) -> None:
    """Serve from DIR with accounts and events to try; made the first time, kept after that."""
    config_file = folder / installation.CONFIG_NAME
    if not config_file.exists():
        installation.install(folder, listen=(listen,), domain=demo.DOMAIN)
    config = Config.load(config_file)
    now = datetime.now().astimezone()
    with database.opened(config) as store:
        seeded = store.write_now(lambda txn: demo.seed(txn, today=now, settings=config.calendars))
    click.echo(f"{'Made' if seeded else 'Serving what is in'} {folder}/; delete it to begin anew.\n")
    guide(address(listen), config.server.public_prefix)
    if not no_serve:
        serve(config_file, (listen,))


def address(endpoint: str) -> str:
    """The URL of a plain TCP endpoint, the endpoint itself where it is another."""
    found = re.fullmatch(r"tcp:(?:port=)?(\d+)(?::interface=([^:]+))?", endpoint)
    return f"http://{found[2] or '127.0.0.1'}:{found[1]}/" if found else endpoint


def guide(url: str, prefix: str) -> None:
    """Print the accounts and what to type into clients."""
    rows = [
        (each.uid, demo.PASSWORD if each.kind == "user" else "-", each.name, each.address) for each in demo.ACCOUNTS
    ]
    print_table(("ACCOUNT", "PASSWORD", "WHO", "MAIL ADDRESS"), rows)
    below = url.rstrip("/") + prefix
    click.echo(f"""
Address       {url}
A calendar    {below}calendars/user/ann/Default/

Thunderbird   New Calendar, On the Network: ann, {url}, Find Calendars
Apple         Add Account, Other CalDAV Account, Advanced: ann, demo; path {prefix}principals/user/ann/, SSL off
DAVx5         Login with URL and user name: the address as the phone reaches it, ann, demo
Evolution     New Collection Account, Advanced Options: {url}, ann
A shell       curl -u ann:demo {below}calendars/user/ann/Default/

Ctrl-C stops the server.
""")
