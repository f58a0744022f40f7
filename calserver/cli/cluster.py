"""``calserver cluster``: nodes, and who is placed where."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import click

from calserver.admin import Refused, cluster, database
from calserver.cli.options import config_option, json_option
from calserver.cli.output import print_json, print_table
from calserver.cli.reactor import run_async
from calserver.cluster import Moved, Mover, Progress, Status, caller_of, mover_of, statuses
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
    rows = [(each.name, each.role, each.url, each.principals, _remarks(each)) for each in found]
    print_table(("Node", "Role", "URL", "Principals", ""), rows)


def _remarks(node: cluster.Node) -> str:
    return ", ".join(text for true, text in ((node.this, "this one"), (node.drained, "drained")) if true)


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
def status(config: Config, as_json: bool) -> int:
    """Say how the nodes are, how far they follow the directory, and where everybody is.

    The exit status is 1 where something is wrong.
    """
    _see_that_there_is_one(config)

    async def ask(reactor: Any) -> Sequence[Status]:
        return await statuses(config, caller_of(config, reactor))

    revision, placed, directory_is = _directory(config)
    nodes = run_async(ask)
    if as_json:
        told = {"directory": directory_is, "directory_revision": revision, "nodes": nodes, "placed": placed}
        print_json({"node": config.cluster.node, **told})
    else:
        click.echo(f"The directory has revision {revision}.\n" if directory_is == "ok" else f"{directory_is}\n")
        rows = [(each.node, each.state, each.revision, each.version, each.tables) for each in nodes]
        print_table(("Node", "State", "Revision", "Version", "Tables"), rows)
        click.echo()
        print_table(("Type", "Name", "Node"), [(each.kind, each.uid, each.node or "none") for each in placed])
    return 0 if directory_is == "ok" and all(each.state == "ok" for each in nodes) else 1


def _directory(config: Config) -> tuple[int | None, Sequence[cluster.Placed], str]:
    """The revision of the directory, and who is placed where; how it is, in words."""
    try:
        with database.directory(config) as directory:
            revision = directory.read_now(lambda txn: txn.principals.revision())
            return revision, directory.read_now(cluster.placed), "ok"
    except Refused as error:
        return None, (), str(error)


@command.command("move")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.argument("node")
@click.option("--together", is_flag=True, help="Move those at the same node, too, with whom they share calendars.")
@config_option
@json_option
def move(names: tuple[str, ...], node: str, together: bool, config: Config, as_json: bool) -> None:
    """Move people to NODE with all that they have, while everybody works on.

    Whoever ends this, or whatever fails, may ask for it again: it goes on from where it was.
    """
    _see_that_there_is_one(config)
    done = _moving(config, lambda mover: mover.move(names, node, together=together))
    _print_moved(done, as_json)


@command.command("drain")
@click.argument("node")
@click.option("--end", is_flag=True, help="Place new people there again.")
@config_option
@json_option
def drain(node: str, end: bool, config: Config, as_json: bool) -> None:
    """Move everybody from NODE to those with the fewest people; new ones are placed elsewhere from now on."""
    _see_that_there_is_one(config)
    if end:
        with database.directory(config) as directory:
            directory.write_now(lambda txn: cluster.reopen(txn, config, node))
        print_json([]) if as_json else click.echo(f"New people may be placed on {node}.")
        return
    _print_moved(_moving(config, lambda mover: mover.drain(node)), as_json)


def _moving(config: Config, act: Callable[[Mover], Awaitable[Sequence[Moved]]]) -> Sequence[Moved]:
    async def run(reactor: Any) -> Sequence[Moved]:
        with database.directory(config) as directory:
            return await act(mover_of(config, directory, _print_progress, reactor))

    return run_async(run)


def _print_progress(progress: Progress) -> None:
    who = ", ".join(progress.who)
    if progress.problem:
        click.echo(f"{who}: {progress.problem}; trying again", err=True)
    else:
        click.echo(f"{who}: {progress.done} of {progress.total} objects are copied", err=True)


def _print_moved(done: Sequence[Moved], as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    for each in done:
        click.echo(
            f"{', '.join(each.who)}: from {each.source} to {each.node}, {each.members} objects in {each.seconds:.1f} s,"
            f" out of reach for {each.paused_seconds:.2f} s."
        )
    if not done:
        click.echo("Nobody has to move.")


def _see_that_there_is_one(config: Config) -> None:
    if not config.cluster.node:
        raise Refused("this server is no node of a cluster: [cluster] in the configuration says so")
