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
@click.option("--store", "store_url", metavar="URL", help="Where the data is to be: a file in DIR unless told.")
@click.option("--store-password-file", "password_file", type=PATH, help="File with the password for PostgreSQL.")
@json_option
def command(
    folder: Path,
    listen: tuple[str, ...],
    admin_listen: tuple[str, ...],
    domain: str | None,
    store_url: str | None,
    password_file: Path | None,
    as_json: bool,
) -> None:
    """Make DIR with a configuration, a signing key and an empty store.

    DIR must not exist, or be empty. URL is sqlite:////path/to/file, or postgresql://user@host/database for a database
    that was made for it (with the encoding UTF8); tables that are there already are kept, so several servers may be
    made for one database. Endpoints are strings as Twisted has them: tcp:8008:interface=127.0.0.1,
    ssl:8443:privateKey=key.pem:certKey=chain.pem, unix:/run/calserver.sock, haproxy:tcp:8008.
    """
    store: dict[str, object] = {} if store_url is None else {"store.url": store_url}
    if password_file is not None:
        store["store.password_file"] = str(password_file.absolute())
    made = installation.install(
        folder,
        listen=listen,
        admin_listen=admin_listen,
        domain=domain,
        further=store,
    )
    if as_json:
        print_json(made)
        return
    click.echo(f"Made {made.folder} with the store {made.store_url}. Next:")
    click.echo(f"  export CALSERVER_CONFIG={made.config.absolute()}")
    click.echo("  calserver user add ann --name 'Ann Example' --email ann@example.org")
    click.echo("  calserver serve")
