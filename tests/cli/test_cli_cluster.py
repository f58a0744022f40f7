"""``calserver cluster``: the key of a node, who is placed where, and accounts that are made in the directory."""

import re
import sqlite3
import stat
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from calserver.admin import cluster
from calserver.cli import run
from calserver.directory import drain
from calserver.store import open_store
from ischedule.dkim import generate

Verb = Callable[..., Any]


@pytest.fixture
def node(tmp_path: Path, verb: Verb) -> Path:
    """The configuration of a node, with its key."""
    path = tmp_path / "node.toml"
    path.write_text("")
    key = verb("cluster", "key", "--config", path).out.strip()
    lines = ["[cluster]", 'node = "b1"', 'directory = "sqlite:///directory.sqlite"']
    for name, role in {"f1": "frontend", "b1": "backend", "b2": "backend"}.items():
        lines += [f"[cluster.nodes.{name}]", f'url = "http://{name}"', f'key = "{key}"', f'role = "{role}"']
    path.write_text("\n".join(lines))
    return path


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path, verb: Verb, node: Path) -> None:
    first = verb("cluster", "key", "--json", "--config", node).json["key"]
    assert verb("cluster", "key", "--config", node).out == f"{first}\n"
    assert stat.S_IMODE((tmp_path / "node.pem").stat().st_mode) == 0o600
    (tmp_path / "node.pem").write_text("no key")
    assert verb("cluster", "key", "--config", node).status == 1


def test_a_check_of_the_configuration_finds_what_is_wrong_with_keys(tmp_path: Path, verb: Verb, node: Path) -> None:
    good = node.read_text()
    assert verb("config", "check", "--config", node).status == 0
    other = generate("ed25519").public_key().public_bytes_raw()
    before, this, after = good.partition("[cluster.nodes.b1]")
    after = re.sub('key = ".*"', f'key = "{b64encode(other).decode()}"', after, count=1)
    node.write_text(before.replace('key = "', 'key = "x', 1) + this + after)
    assert verb("config", "check", "--config", node).err.splitlines() == [
        "calserver: cluster.nodes.b1.key: this is not the key in cluster.key_file",
        "calserver: cluster.nodes.f1.key: this is not a public key of Ed25519",
    ]
    node.write_text(good)
    (tmp_path / "node.pem").unlink()
    problems = verb("config", "check", "--json", "--config", node).json["problems"]
    assert [each.partition(":")[0] for each in problems] == ["cluster.key_file"]


def test_another_directory_is_looked_at_and_upgraded_where_that_is_wanted(
    tmp_path: Path, verb: Verb, node: Path
) -> None:
    """A newer one is left alone."""
    upgrade, check = ("db", "upgrade", "--directory"), ("db", "check", "--directory")
    assert verb(*upgrade, "--config", node).status == 0
    assert verb(*check, "--json", "--config", node).json["sound"]
    assert not verb("db", "check", "--json", "--config", node).json["sound"], "the own store has no tables"
    with closing(sqlite3.connect(tmp_path / "directory.sqlite")) as other, other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    for words in (upgrade, check, ("cluster", "nodes"), ("user", "list")):
        refused = verb(*words, "--config", node)
        assert (refused.status, "a newer program has upgraded it" in refused.err) == (1, True), words


def test_new_people_are_placed_in_the_directory_and_get_nothing_yet(tmp_path: Path, verb: Verb, node: Path) -> None:
    for uid, kind in (("ann", "user"), ("bob", "user"), ("staff", "group"), ("room", "location")):
        assert verb("user", "add", uid, "--type", kind, "--no-password", "--config", node).status == 0
    told = verb("cluster", "nodes", "--json", "--config", node).json
    assert {each["name"]: each["principals"] for each in told} == {"b1": 2, "b2": 1, "f1": 0}
    assert [each["name"] for each in told if each["this"]] == ["b1"]
    with closing(open_store(f"sqlite:///{tmp_path}/directory.sqlite", reactor=None)) as directory:
        placed = directory.read_now(cluster.placed)
    assert {each.uid: each.node for each in placed} == {"ann": "b1", "bob": "b2", "room": "b1"}
    directory = open_store(f"sqlite:///{tmp_path}/directory.sqlite", reactor=None)
    ann = directory.read_now(lambda txn: txn.principals.by_uid("user", "ann"))
    assert ann is not None
    assert directory.read_now(lambda txn: txn.collections.home(ann.id, "calendar-home")) is None
    directory.close()


def test_who_is_placed_stays_where_the_calendars_are(verb: Verb, node: Path) -> None:
    verb("user", "add", "ann", "--no-password", "--config", node)
    assert verb("cluster", "place", "ann", "b1", "--config", node).status == 0
    refused = verb("cluster", "place", "ann", "b2", "--config", node)
    assert (refused.status, "ann is at b1" in refused.err) == (1, True)
    assert "none of the nodes" in verb("cluster", "place", "ann", "f1", "--config", node).err
    verb("user", "add", "staff", "--type", "group", "--config", node)
    assert "no calendars" in verb("cluster", "place", "group/staff", "b1", "--config", node).err


def test_a_node_that_was_drained_takes_people_again(tmp_path: Path, verb: Verb, node: Path) -> None:
    directory = open_store(f"sqlite:///{tmp_path}/directory.sqlite", reactor=None)
    directory.write_now(lambda txn: drain(txn, ["b1"]))
    directory.close()
    verb("user", "add", "ann", "--no-password", "--config", node)
    told = verb("cluster", "nodes", "--json", "--config", node).json
    assert {each["name"]: (each["principals"], each["drained"]) for each in told} == {
        "b1": (0, True),
        "b2": (1, False),
        "f1": (0, False),
    }
    assert "drained" in verb("cluster", "nodes", "--config", node).out
    assert verb("cluster", "drain", "b1", "--end", "--config", node).status == 0
    assert verb("cluster", "drain", "f1", "--end", "--config", node).status == 1
    verb("user", "add", "bob", "--no-password", "--config", node)
    told = verb("cluster", "nodes", "--json", "--config", node).json
    assert {each["name"]: each["principals"] for each in told} == {"b1": 1, "b2": 1, "f1": 0}


@pytest.mark.parametrize(
    "words", [("nodes",), ("status",), ("place", "ann", "b1"), ("move", "ann", "b1"), ("drain", "b1")]
)
def test_a_server_alone_is_no_cluster(tmp_path: Path, words: tuple[str, ...]) -> None:
    path = tmp_path / "alone.toml"
    path.write_text("")
    assert run(["cluster", *words, "--config", str(path)]) == 1
