"""What balancers and monitoring see of nodes: health and metrics."""

import json
import re
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from daemon import CALSERVER, Connection, Daemon, free_port
from diaries import Diaries
from murder import NODES, Murder, join
from organizations import until
from postgresql import Cluster

from calserver.admin.cluster import key
from calserver.config import Config
from calserver.store import REVISION, open_store

DELEGATE = """
<propertyupdate xmlns="DAV:"><set><prop>
  <calendar-proxy-write-for xmlns="http://calendarserver.org/ns/"/>
</prop></set></propertyupdate>
"""


@pytest.fixture(scope="module")
def murder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Murder]:
    with Murder(tmp_path_factory.mktemp("murder")) as running:
        yield running


def health(node: Daemon) -> tuple[int, dict[str, object]]:
    with Connection(node.admin_port, None) as nobody:
        answer = nobody.request("GET", "/health")
        return answer.status, json.loads(answer.body)


def metric(server: Daemon, name: str, **labels: str) -> float | None:
    """The value of a metric; None where there is none."""
    with Connection(server.admin_port, None) as nobody:
        text = nobody.request("GET", "/metrics").text
    inside = ",".join(f'{label}="{value}"' for label, value in labels.items())
    found = re.search(rf"(?m)^{re.escape(name + (f'{{{inside}}}' if inside else ''))} (.*)$", text)
    return None if found is None else float(found[1])


def test_requests_that_are_handed_on_are_counted_by_node_and_result(murder: Murder) -> None:
    front, ann, bob = murder.front, murder.front.connect("ann"), murder.front.connect("bob")
    homes = {"ann": "/dav/calendars/user/ann/", "bob": "/dav/calendars/user/bob/"}
    for _ in range(3):
        assert ann.request("PROPFIND", homes["ann"], Depth="0").status == 207
    assert ann.request("PROPFIND", homes["bob"], Depth="0").status == 403
    assert metric(front, "calserver_handed_on_total", node="b1", result="answered") == 3
    assert metric(front, "calserver_handed_on_total", node="b2", result="answered") == 1
    assert metric(front, "calserver_handed_on_seconds_count", node="b1") == 3
    assert metric(front, "calserver_handed_on_total", node="b2", result="away") is None
    murder.nodes["b2"].kill()
    try:
        assert bob.request("PROPFIND", homes["bob"], Depth="0").status == 503
        assert metric(front, "calserver_handed_on_total", node="b2", result="away") == 1
        assert metric(front, "calserver_handed_on_seconds_count", node="b2") == 1
        assert health(front) == (200, {"status": "ok", "store": "ok", "node": "f1", "directory": "ok"})
        assert front.invite("waiting", "ann", [front.mail("bob")]).status == 201
        until(lambda: metric(murder.nodes["b1"], "calserver_letters_waiting", domain="node:b2") == 1)
    finally:
        murder.nodes["b2"].start()
    until(lambda: metric(murder.nodes["b1"], "calserver_letters_waiting", domain="node:b2") is None)
    assert metric(murder.nodes["b1"], "calserver_letters_total", domain="node:b2", outcome="delivered") == 1


def test_a_node_that_does_not_believe_another_one_is_away_for_it(murder: Murder) -> None:
    """Clients would ask people for their passwords."""
    node, front = murder.nodes["b2"], murder.front
    good = node.config.read_text()
    keys = {name: key(Config.load(each.config)) for name, each in murder.nodes.items()}
    node.stop()
    node.config.write_text(good.replace(keys["f1"], keys["b1"]))
    node.start()
    try:
        answer = front.connect("bob").request("PROPFIND", "/dav/calendars/user/bob/", Depth="0")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
        assert front.connect("bob", "wrong").request("PROPFIND", "/dav/calendars/user/bob/").status == 401
        assert "b2 does not believe this node" in front.log.read_text()
    finally:
        node.stop()
        node.config.write_text(good)
        node.start()


def test_a_node_without_the_directory_is_well_and_says_how_far_it_is_behind(murder: Murder, tmp_path: Path) -> None:
    node, aside = murder.nodes["b1"], tmp_path / "aside"
    revision = metric(node, "calserver_directory_revision")
    assert revision is not None
    assert revision > 0
    until(lambda: (metric(node, "calserver_directory_behind_seconds") or 9) < 1)
    node.stop()
    murder.directory.rename(aside)
    try:
        murder.directory.mkdir()
        node.start()
        until(lambda: health(node) == (200, {"status": "ok", "store": "ok", "node": "b1", "directory": "away"}))
        assert metric(node, "calserver_directory_behind_seconds") is None
        assert metric(node, "calserver_directory_revision") == revision
        assert node.log.read_text().count("the directory is followed again") == 0
    finally:
        murder.directory.rmdir()
        aside.rename(murder.directory)
    until(lambda: health(node)[1]["directory"] == "ok")
    assert (metric(node, "calserver_directory_behind_seconds") or 9) < 1


def test_a_node_leaves_alone_what_a_newer_program_has_upgraded_and_says_so(murder: Murder) -> None:
    node, newer = murder.nodes["b1"], "the database has revision 9999, this program needs "
    with upgraded(murder.directory):
        until(lambda: str(health(node)[1]["directory"]).startswith(f"not followed: {newer}"))
        assert health(node)[0] == 200
        ann = murder.front.connect("ann")
        assert ann.request("PROPFIND", "/dav/calendars/user/ann/", Depth="0").status == 207
        assert ann.request("PROPPATCH", "/dav/principals/user/ann/", DELEGATE).status == 503
        done = status(murder)
        assert done.returncode == 1
        assert "the directory has revision 9999" in done.stdout
        assert re.search(f"(?m)^b1 +directory not followed: {newer}", done.stdout)
        assert f"the directory is not followed: {newer}" in node.log.read_text()
    until(lambda: health(node)[1]["directory"] == "ok")
    with upgraded(node.folder / "calserver.sqlite"):
        code, facts = health(node)
        assert (code, str(facts["store"]).partition(",")[0]) == (503, newer.partition(",")[0])
    until(lambda: status(murder).returncode == 0)
    assert re.search(r"(?m)^b1 +ok +\d+ +\d+\.\d+\.\d+ +\d{4}$", status(murder).stdout)


@contextmanager
def upgraded(database: Path) -> Iterator[None]:
    """What a newer program does, as far as it is seen."""

    def give(revision: str) -> None:
        with closing(sqlite3.connect(database, timeout=10)) as other, other:
            other.execute("UPDATE alembic_version SET version_num = ?", (revision,))

    give("9999")
    try:
        yield
    finally:
        give(REVISION)


def status(murder: Murder) -> subprocess.CompletedProcess[str]:
    command = (*CALSERVER, "cluster", "status", "--config", str(murder.front.config))
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_new_node_answers_nothing_before_it_knows_anybody(murder: Murder, tmp_path: Path) -> None:
    """It would say that passwords are wrong, and that there are no such people."""
    node = Diaries(tmp_path / "f2", "")
    keys = {name: key(Config.load(each.config)) for name, each in murder.nodes.items()} | {
        "f2": key(Config.load(node.config))
    }
    urls = {name: f"http://127.0.0.1:{each.port}" for name, each in (*murder.nodes.items(), ("f2", node))}
    directory = tmp_path / "directory.sqlite"
    directory.mkdir()
    join(node.config, "f2", f"sqlite:///{directory}", NODES | {"f2": "frontend"}, urls, keys)
    lmtp = free_port()
    node.set(mail__address="calendar@example.com", mail__lmtp_listen=[f"tcp:{lmtp}:interface=127.0.0.1"])
    try:
        node.start(health=503)
        assert health(node) == (503, {"status": "failing", "store": "ok", "node": "f2", "directory": "never seen"})
        ann = node.connect("ann")
        for method, path in (("PROPFIND", "/dav/principals/user/ann/"), ("GET", "/.well-known/caldav")):
            answer = ann.request(method, path, Depth="0")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
        assert greeting(lmtp) == b""
        directory.rmdir()
        shutil.copy(murder.directory, directory)
        until(lambda: health(node)[0] == 200)
        assert ann.request("PROPFIND", "/dav/principals/user/ann/", Depth="0").status == 207
        assert greeting(lmtp).startswith(b"220 ")
    finally:
        node.stop()


def greeting(port: int) -> bytes:
    """What a mail server is greeted with."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        return connection.recv(100)


def test_a_node_whose_store_is_away_is_not_well(
    make_daemon: Callable[..., Daemon], postgres: Cluster, tmp_path: Path
) -> None:
    directory = tmp_path / "directory.sqlite"
    open_store(f"sqlite:///{directory}", reactor=None).close()
    with postgres.database() as url:
        node = make_daemon(accounts="", store=url)
        where, keys = f"http://127.0.0.1:{node.port}", {"b1": key(Config.load(node.config))}
        join(node.config, "b1", f"sqlite:///{directory}", {"b1": "backend"}, {"b1": where}, keys)
        node.start()
        assert health(node)[0] == 200
        with postgres.closed(url):
            assert health(node) == (503, {"status": "failing", "store": "unreachable", "node": "b1", "directory": "ok"})
        until(lambda: health(node)[0] == 200)
        node.stop()
