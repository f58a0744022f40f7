"""``calserver init``: the directory of a new server."""

from pathlib import Path

import click

from calserver.admin import installation
from calserver.cli.options import PATH, json_option
from calserver.cli.output import print_json


@click.command("init")
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--listen", multiple=True, metavar="ENDPOINT", help="Where to listen, for example tcp:8008; repeatable.")
@click.option("--admin-listen", multiple=True, metavar="ENDPOINT", help="Where /metrics and /health are; repeatable.")
@click.option("--domain", help="Mail domain of principals that have no address of their own.")
@json_option
def command(
    folder: Path, listen: tuple[str, ...], admin_listen: tuple[str, ...], domain: str | None, as_json: bool
) -> None:
    """Make DIR with a configuration, a signing key and an empty store.

    DIR must not exist, or be empty. Endpoints are strings as Twisted has them: tcp:8008:interface=127.0.0.1,
    ssl:8443:privateKey=key.pem:certKey=chain.pem, unix:/run/calserver.sock, haproxy:tcp:8008.
    """
    made = installation.install(folder, listen=listen, admin_listen=admin_listen, domain=domain)
    if as_json:
        print_json(made)
        return
    click.echo(f"Made {made.folder} with an empty store. Next:")
    click.echo(f"  export CALSERVER_CONFIG={made.config.absolute()}")
    click.echo("  calserver user add ann --name 'Ann Example' --email ann@example.org")
    click.echo("  calserver serve")
