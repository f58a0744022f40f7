"""``calserver cluster``: nodes, and who is placed where."""

import click

from calserver.admin import Refused, cluster, database
from calserver.cli.options import config_option, json_option
from calserver.cli.output import print_json, print_table
from calserver.config import Config


@click.group("cluster")
def command() -> None:
    """Nodes that keep the calendars of some people each (docs/cluster.md)."""


@command.command("key")
@config_option
@json_option
def key(config: Config, as_json: bool) -> None:
    """Print the public key of this node, for the configuration of all; make the private one where there is none."""
    found = cluster.key(config)
    if as_json:
        print_json({"key": found})
    else:
        click.echo(found)


@command.command("begin")
@config_option
@json_option
def begin(config: Config, as_json: bool) -> None:
    """Make the people of this server those of an empty directory, placed here: so it is the first node of a cluster."""
    _see_that_there_is_one(config)
    with database.directory(config) as directory, database.opened(config) as store:
        roll = store.read_now(lambda txn: txn.rolls.since(-1))
        placed = directory.write_now(lambda txn: cluster.begin(txn, roll, config))
    if as_json:
        print_json({"node": config.cluster.node, "placed": placed})
    else:
        click.echo(f"{placed} are in the directory, and at {config.cluster.node} with their calendars.")


@command.command("nodes")
@config_option
@json_option
def nodes(config: Config, as_json: bool) -> None:
    """List the nodes, and how many people each has."""
    _see_that_there_is_one(config)
    with database.directory(config) as directory:
        found = directory.read_now(lambda txn: cluster.nodes(txn, config))
    if as_json:
        print_json(found)
        return
    rows = [(each.name, each.role, each.url, each.principals, "this one" if each.this else "") for each in found]
    print_table(("Node", "Role", "URL", "Principals", ""), rows)


@command.command("place")
@click.argument("name")
@click.argument("node")
@config_option
@json_option
def place(name: str, node: str, config: Config, as_json: bool) -> None:
    """Place a principal that is on no node yet. New ones are placed where the fewest are."""
    _see_that_there_is_one(config)
    with database.directory(config) as directory:
        done = directory.write_now(lambda txn: cluster.place(txn, config, name, node))
    if as_json:
        print_json(done)
    else:
        click.echo(f"{done.uid} is at {done.node}.")


@command.command("status")
@config_option
@json_option
def status(config: Config, as_json: bool) -> None:
    """Say where everybody is, and how far this node follows the directory."""
    _see_that_there_is_one(config)
    with database.directory(config) as directory, database.opened(config) as store:
        there = directory.read_now(lambda txn: txn.principals.revision())
        here = store.read_now(lambda txn: txn.principals.revision())
        placed = directory.read_now(cluster.placed)
    if as_json:
        print_json({"node": config.cluster.node, "directory_revision": there, "revision": here, "placed": placed})
        return
    click.echo(f"{config.cluster.node} has revision {here} of {there}.")
    print_table(("Type", "Name", "Node"), [(each.kind, each.uid, each.node or "none") for each in placed])


def _see_that_there_is_one(config: Config) -> None:
    if not config.cluster.node:
        raise Refused("this server is no node of a cluster: [cluster] in the configuration says so")
