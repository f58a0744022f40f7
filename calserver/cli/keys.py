"""``calserver keys``: what messages to other servers are signed with."""

from typing import Any

import click

from calserver.admin import dns, keys
from calserver.cli.options import config_option, json_option
from calserver.cli.output import print_json, print_table
from calserver.config import Config
from ischedule.keyring import ALGORITHMS, Algorithm, Key

algorithm_option = click.option(
    "--algorithm", type=click.Choice(ALGORITHMS), default="rsa", show_default=True, help="The kind of key."
)


@click.group("keys")
def command() -> None:
    """Keys that sign messages to other servers.

    To change them: "rotate" makes a new key, "publish" prints its record, "rotate" again signs with it after an hour,
    "retire" revokes the old one after a day.
    """


@command.command("generate")
@algorithm_option
@click.option("--selector", help="Its name in the DNS.  [default: cal and the next number]")
@config_option
@json_option
def generate(algorithm: Algorithm, selector: str | None, config: Config, as_json: bool) -> None:
    """Make a key; the first one signs at once."""
    _tell(keys.generate(config, algorithm, selector), config, as_json)


@command.command("list")
@config_option
@json_option
def list_keys(config: Config, as_json: bool) -> None:
    """All keys and what became of them."""
    found = keys.listed(config)
    if as_json:
        print_json([_fields(key) for key in found])
    else:
        rows = [(key.selector, key.algorithm, key.state, f"{_since(key):%Y-%m-%d %H:%M}") for key in found]
        print_table(("SELECTOR", "ALGORITHM", "STATE", "SINCE (UTC)"), rows)


@command.command("publish")
@click.argument("domains", metavar="[DOMAIN]...", nargs=-1)
@click.option("--done", is_flag=True, help="Note that the records are in the DNS: new keys can sign an hour later.")
@click.option("--any-service", is_flag=True, help="Let the keys sign the mail of the domain, too.")
@config_option
@json_option
def publish(domains: tuple[str, ...], done: bool, any_service: bool, config: Config, as_json: bool) -> None:
    """The records to put into the zones of DOMAINs; then, with --done, note that they stand there.

    Without DOMAIN: the mail domain of the configuration.
    """
    if done:
        noted = [key.selector for key in keys.publish(config)]
        if as_json:
            print_json(noted)
        else:
            click.echo(f"noted for {len(noted)} keys{': ' if noted else ''}{', '.join(noted)}")
        return
    texts = keys.key_records(config, service="*" if any_service else "ischedule")
    found = {name: dns.key_records(name, texts) for name in domains or (config.calendars.domain,)}
    if as_json:
        print_json([record.fields for each in found.values() for record in each])
    else:
        click.echo("\n".join(dns.zone(name, each) for name, each in found.items()), nl=False)


@command.command("rotate")
@algorithm_option
@click.option("--force", is_flag=True, help="Sign with the new key although not everybody can know its record yet.")
@config_option
@json_option
def rotate(algorithm: Algorithm, force: bool, config: Config, as_json: bool) -> None:
    """Take the next step to another key: make it, or sign with it."""
    _tell(keys.rotate(config, algorithm, force=force), config, as_json)


@command.command("retire")
@click.argument("selector")
@click.option("--force", is_flag=True, help="Although something that it has signed may be under way.")
@config_option
@json_option
def retire(selector: str, force: bool, config: Config, as_json: bool) -> None:
    """Revoke a key: its record is to say so, its private key is deleted."""
    _tell(keys.retire(config, selector, force=force), config, as_json)


def _tell(key: Key, config: Config, as_json: bool) -> None:
    if as_json:
        print_json(_fields(key))
        return
    next_step = {
        "new": 'put its record into the DNS ("calserver keys publish"), then "calserver keys rotate" again',
        "signing": "" if key.published else 'put its record into the DNS ("calserver keys publish")',
        "retired": 'put its record into the DNS again ("calserver keys publish"): it is revoked there',
    }.get(key.state, "")
    click.echo(f"{key.selector} ({key.algorithm}) is {key.state}" + (f"; {next_step}" if next_step else ""))


def _fields(key: Key) -> dict[str, Any]:
    return {
        "selector": key.selector,
        "algorithm": key.algorithm,
        "state": key.state,
        "record": key.record(),
        "created": key.created,
        "published": key.published,
        "signing": key.signing,
        "replaced": key.replaced,
        "retired": key.retired,
    }


def _since(key: Key) -> Any:
    return key.created if key.state == "new" else getattr(key, key.state)
