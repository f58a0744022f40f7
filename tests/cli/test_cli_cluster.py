"""``calserver cluster``: the key of a node, who is placed where, and accounts that are made in the directory."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calserver.cli import run
from calserver.directory import drain
from calserver.store import open_store

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


def test_new_people_are_placed_in_the_directory_and_get_nothing_yet(tmp_path: Path, verb: Verb, node: Path) -> None:
    for uid, kind in (("ann", "user"), ("bob", "user"), ("staff", "group"), ("room", "location")):
        assert verb("user", "add", uid, "--type", kind, "--no-password", "--config", node).status == 0
    told = verb("cluster", "nodes", "--json", "--config", node).json
    assert {each["name"]: each["principals"] for each in told} == {"b1": 2, "b2": 1, "f1": 0}
    assert [each["name"] for each in told if each["this"]] == ["b1"]
    status = verb("cluster", "status", "--json", "--config", node).json
    assert {each["uid"]: each["node"] for each in status["placed"]} == {"ann": "b1", "bob": "b2", "room": "b1"}
    assert status["revision"] == 0 < status["directory_revision"]
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
