"""The nodes of a cluster, and who is placed where."""

import os
from collections.abc import Mapping, Sequence

import attrs

from calserver.admin import accounts
from calserver.admin.refused import Refused
from calserver.config import Config
from calserver.directory import drain, drained
from calserver.store import Roll, Transaction
from ischedule.dkim import generate, load_private_key, private_text, public_key_text


@attrs.frozen(kw_only=True)
class Node:
    """A node as the directory sees it."""

    name: str
    role: str
    url: str
    this: bool
    """Whether it is the one that was asked."""
    principals: int
    """How many are placed there."""
    drained: bool
    """Whether nobody new is placed there."""


@attrs.frozen(kw_only=True)
class Placed:
    """A principal and its node; None where it is placed on none."""

    kind: str
    uid: str
    node: str | None


def key(config: Config) -> str:
    """The public key of this node; its private key is made where there is none.

    Raises:
        Refused: the file holds no key, or one that is not of Ed25519.
    """
    path = config.path(config.cluster.key_file)
    if not path.exists():
        made = generate("ed25519")
        with open(path, "xb", opener=_private) as file:
            file.write(private_text(made))
        return public_key_text(made)
    try:
        found = load_private_key(path.read_bytes())
    except ValueError as error:
        raise Refused(f"{path}: {error}") from None
    text = public_key_text(found)
    if len(text) > 44:
        raise Refused(f"{path}: the key is not one of Ed25519")
    return text


def begin(txn: Transaction, roll: Roll, config: Config) -> int:
    """Make the principals of a server those of an empty directory, all of them placed at this node.

    Args:
        txn: one of the directory.
        roll: all principals of the server.
        config: of the server, which is a node already.

    Returns:
        How many were placed.

    Raises:
        Refused: there is somebody in the directory, or this node may not keep calendars.
    """
    if config.cluster.node not in backends(config):
        raise Refused(f"{config.cluster.node} is none of the nodes that keep calendars: {', '.join(backends(config))}")
    if txn.principals.list():
        raise Refused("there is somebody in the directory already")
    txn.rolls.take_over(roll)
    people = [each.id for each in roll.changed if each.kind != "group"]
    txn.placements.put(people, config.cluster.node)
    return len(people)


def nodes(txn: Transaction, config: Config) -> Sequence[Node]:
    """All nodes; `txn` is one of the directory."""
    counts: Mapping[str, int] = txn.placements.counts()
    cluster, closed = config.cluster, drained(txn)
    return [
        Node(
            name=name,
            role=each.role,
            url=each.url,
            this=name == cluster.node,
            principals=counts.get(name, 0),
            drained=name in closed,
        )
        for name, each in sorted(cluster.nodes.items())
    ]


def placed(txn: Transaction) -> Sequence[Placed]:
    """Where all principals with calendars are; `txn` is one of the directory."""
    found = [each for each in txn.principals.list() if each.kind != "group"]
    where = txn.placements.of(each.id for each in found)
    return [Placed(kind=each.kind, uid=each.uid, node=where.get(each.id)) for each in found]


def place(txn: Transaction, config: Config, name: str, node: str) -> Placed:
    """Place a principal that is on no node; `txn` is one of the directory.

    Raises:
        Refused: there is no such principal or node; or it is at another node, where its calendars are.
    """
    principal = accounts.named(txn, name)
    if principal.kind == "group":
        raise Refused("groups have no calendars")
    if node not in backends(config):
        raise Refused(f"{node} is none of the nodes that keep calendars: {', '.join(backends(config))}")
    there = txn.placements.of((principal.id,)).get(principal.id)
    if there not in (None, node):
        raise Refused(f"{principal.uid} is at {there}, with its calendars (calserver cluster move)")
    if there is None:
        txn.placements.put((principal.id,), node)
    return Placed(kind=principal.kind, uid=principal.uid, node=node)


def reopen(txn: Transaction, config: Config, node: str) -> None:
    """Let new principals be placed on a node that was drained; `txn` is one of the directory.

    Raises:
        Refused: there is no such node.
    """
    if node not in backends(config):
        raise Refused(f"{node} is none of the nodes that keep calendars: {', '.join(backends(config))}")
    drain(txn, drained(txn) - {node})


def backends(config: Config) -> Sequence[str]:
    """The nodes that may keep calendars."""
    return sorted(name for name, each in config.cluster.nodes.items() if each.role == "backend")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
