"""``calserver mail``: invitations by mail."""

import click

from calserver.cli.options import config_option, json_option
from calserver.cli.output import print_json
from calserver.cli.reactor import run_async
from calserver.config import Config
from calserver.scheduling import mail


@click.group("mail")
def command() -> None:
    """Invitations by mail."""


@command.command("test")
@click.argument("address")
@config_option
@json_option
def test(address: str, config: Config, as_json: bool) -> int:
    """Send a mail to ADDRESS as invitations are sent, and say each step. Exit status 1 if it was not taken."""
    done = run_async(lambda reactor: mail.rehearse(config, config.path("keys"), address, reactor))
    if as_json:
        print_json(done)
    else:
        click.echo("\n".join(done.steps))
        click.echo("the mail server has taken the mail" if done.sent else "the mail was not sent")
    return 0 if done.sent else 1
