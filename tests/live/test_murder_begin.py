"""A server with people and calendars becomes the first node of a cluster, and others come to it."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import pytest
from daemon import ACCOUNTS, Daemon, calserver
from diaries import Diaries
from ledger import changes, event
from murder import join
from organizations import until

from calserver.admin.cluster import key
from calserver.config import Config

ROLES: Final = {"f1": "frontend", "b1": "backend", "b2": "backend"}
HOME: Final = "/dav/calendars/user/{}/Default/"


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[dict[str, Diaries]]:
    found = {name: Diaries(tmp_path / name, ACCOUNTS if name == "b1" else "") for name in ROLES}
    yield found
    for each in found.values():
        each.stop()


@pytest.fixture(params=["sqlite", "postgres"])
def directory(
    request: pytest.FixtureRequest, tmp_path: Path, database_of: Callable[[str], AbstractContextManager[str]]
) -> Iterator[str]:
    with database_of(request.param) as url:
        yield url or f"sqlite:///{tmp_path}/directory.sqlite"


def run(node: Daemon, *arguments: str, stdin: str = "") -> object:
    """A verb of the command line; what it says."""
    return json.loads(calserver(*arguments, "--json", "--config", node.config, stdin=stdin))


def test_one_server_becomes_a_cluster_and_nobody_notices(nodes: dict[str, Diaries], directory: str) -> None:
    alone, front = nodes["b1"], nodes["f1"]
    alone.start()
    ann, path = alone.connect("ann"), HOME.format("ann")
    assert ann.request("PUT", f"{path}kept.ics", event("kept", 1, 0), Content_Type="text/calendar").status == 201
    token, etags = changes(ann, path, "")
    assert run(alone, "delegate", "add", "ann", "carol")
    alone.stop()

    keys = {name: key(Config.load(each.config)) for name, each in nodes.items()}
    urls = {name: f"http://127.0.0.1:{each.port}" for name, each in nodes.items()}
    for name, each in nodes.items():
        join(each.config, name, directory, ROLES, urls, keys)
    assert run(alone, "cluster", "begin") == {"node": "b1", "placed": 5}
    with pytest.raises(AssertionError, match="somebody in the directory already"):
        run(alone, "cluster", "begin")
    for each in nodes.values():
        each.start()

    ann = front.connect("ann")
    assert ann.request("GET", f"{path}kept.ics").body == event("kept", 1, 0)
    assert changes(ann, path, token) == (token, {})
    assert changes(ann, path, "")[1] == etags
    carol = front.connect("carol")
    until(lambda: carol.request("GET", f"{path}kept.ics").status == 200, "delegates stay what they are")
    calserver(
        "user", "add", "dora", "--email", "dora@example.com", "--password-stdin", "--config", front.config, stdin="x"
    )
    new = HOME.format("dora")
    until(lambda: front.connect("dora", "x").request("PUT", f"{new}1.ics", event("1", 1, 0)).status in (201, 204))
    counts = run(front, "cluster", "nodes")
    assert isinstance(counts, list)
    assert {each["name"]: each["principals"] for each in counts} == {"f1": 0, "b1": 5, "b2": 1}


def test_a_front_end_has_nobody_to_begin_with(nodes: dict[str, Diaries], tmp_path: Path) -> None:
    front, where = nodes["f1"], f"sqlite:///{tmp_path}/directory.sqlite"
    join(front.config, "f1", where, ROLES, dict.fromkeys(ROLES, "http://127.0.0.1:1"), dict.fromkeys(ROLES, "x"))
    with pytest.raises(AssertionError, match="f1 is none of the nodes that keep calendars: b1, b2"):
        run(front, "cluster", "begin")
