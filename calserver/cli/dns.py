"""``calserver dns``: what to publish so that clients find the server."""

import click

from calserver.admin import dns
from calserver.cli.options import config_option, json_option
from calserver.cli.output import print_json, print_table
from calserver.config import Config


@click.group("dns")
def command() -> None:
    """DNS records by which clients set themselves up from a mail address."""


@command.command("records")
@click.argument("domain")
@click.option("--host", help="Name of this server as clients see it.  [default: cal.DOMAIN]")
@click.option("--port", default=443, show_default=True, help="Port for TLS as clients see it.")
@click.option("--plain-port", type=int, help="Port for clear text, if that is offered.")
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
def records(
    domain: str, host: str | None, port: int, plain_port: int | None, form: str, config: Config, as_json: bool
) -> None:
    """The records to publish for mail addresses of DOMAIN (RFC 6764).

    Prints a piece of a zone file, or a list for web forms of providers.
    """
    found = dns.records(domain, host=host, port=port, plain_port=plain_port, path=config.server.public_prefix)
    if as_json:
        print_json(found)
    elif form == "list":
        print_table(("NAME", "TYPE", "CONTENT", "FOR"), [(r.name, r.type, r.content, r.purpose) for r in found])
    else:
        click.echo(dns.zone(domain, found), nl=False)
