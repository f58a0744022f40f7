"""Identities between nodes are good once, whichever process of a node takes them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calserver.cluster.assertion import SECONDS, Assertion, NotBelieved, believed, signed
from calserver.cluster.replays import Replays

KEY = Ed25519PrivateKey.generate()
NOW = 1_800_000_000
USE = """\
import sys
from pathlib import Path
from calserver.cluster.assertion import Assertion, NotBelieved
from calserver.cluster.replays import Replays
path, now, taken = Path(sys.argv[1]), int(sys.argv[2]), 0
replays = Replays(path, now)
print("ready", flush=True)
input()
for number in range(500):
    try:
        replays.use(Assertion(node="f1", audience="b1", at=now, nonce=str(number)), now)
        taken += 1
    except NotBelieved:
        pass
print(taken)
"""


def said(at: int = NOW) -> Assertion:
    return Assertion(node="f1", audience="b1", kind="user", uid="ann", at=at)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node.pem.used"


@pytest.fixture
def workers(path: Path) -> Iterator[list[Replays]]:
    """The memory of a node as two processes have it."""
    made = [Replays(path, NOW) for _ in range(2)]
    yield made
    for each in made:
        each.close()


def test_nothing_is_believed_twice(workers: list[Replays]) -> None:
    for first, second in ((0, 0), (0, 1), (1, 0)):
        assertion = said()
        workers[first].use(assertion, NOW)
        for each in (second, first):
            with pytest.raises(NotBelieved, match="before"):
                workers[each].use(assertion, NOW + SECONDS)


def test_nor_after_a_restart(workers: list[Replays], path: Path) -> None:
    assertion = said()
    workers[0].use(assertion, NOW)
    later = Replays(path, NOW + SECONDS)
    with pytest.raises(NotBelieved, match="before"):
        later.use(assertion, NOW + SECONDS)
    later.close()


def test_of_processes_that_use_the_same_one_has_each(path: Path) -> None:
    """They begin at the same time, and go through the same."""
    command = [sys.executable, "-c", USE, str(path), str(NOW)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
        for _ in range(2)
    ]
    for each in processes:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in processes:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    assert sum(int(each.communicate(timeout=60)[0]) for each in processes) == 500


def test_what_a_killed_process_has_begun_does_no_harm(workers: list[Replays], path: Path) -> None:
    assertions = [said(), said()]
    workers[0].use(assertions[0], NOW)
    with open(f"{path}-{NOW // SECONDS}", "ab") as file:
        file.write(b"half")
    workers[1].use(assertions[1], NOW)
    for each in (*assertions, *assertions):
        with pytest.raises(NotBelieved, match="before"):
            workers[0].use(each, NOW)


@given(st.lists(st.integers(-SECONDS, SECONDS), max_size=20), st.integers(0, 4 * SECONDS))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_replay_is_refused_as_long_as_it_would_be_believed(
    workers: list[Replays], skews: list[int], later: int
) -> None:
    """Whatever the clocks: what is forgotten is not believed."""
    said_then = [said(at=NOW + each) for each in skews]
    for each in said_then:
        workers[0].use(each, NOW)

    def again(assertion: Assertion) -> None:
        field = signed(assertion, KEY, method="GET", target="/")
        keys = {"f1": KEY.public_key()}
        believed(field, keys, audience="b1", method="GET", target="/", now=NOW + later)
        workers[1].use(assertion, NOW + later)

    for each in said_then:
        with pytest.raises(NotBelieved):
            again(each)


def test_what_cannot_be_believed_any_more_is_not_kept(workers: list[Replays], path: Path) -> None:
    for each in range(20):
        for worker in workers:
            worker.use(said(at=NOW + each * SECONDS), NOW + each * SECONDS)
    assert len(os.listdir(path.parent)) <= 5
    (path.parent / "node.pem.used-by-nobody").touch()
    Replays(path, NOW + 100 * SECONDS).close()
    assert len(os.listdir(path.parent)) == 2


def test_only_its_owner_reads_it(workers: list[Replays], path: Path) -> None:
    (found,) = path.parent.iterdir()
    assert found.stat().st_mode & 0o777 == 0o600


def test_there_must_be_a_place_for_it(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Replays(tmp_path / "nowhere" / "node.pem.used", NOW)
