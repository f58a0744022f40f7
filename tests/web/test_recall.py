"""What is kept by heart, and how much of it."""

from argparse import Namespace
from typing import Any

import attrs
import pytest

from calserver.auth import Login
from calserver.dav import Href, Response
from calserver.directory import Actor
from calserver.store import Stamp
from calserver.web.recall import LARGEST_BYTES, Home, Recall

HOME = Home("drive-home", "user", "ann", 7)
MOST_BYTES = 4 * LARGEST_BYTES
STAMP = Stamp(1, 0, 0, 0)


@attrs.define
class Facts:
    """What a store says has changed."""

    stamps: dict[int, Any] = attrs.field(factory=lambda: {7: STAMP})

    def stamp(self, home_id: int) -> Any:
        return self.stamps.get(home_id)


@pytest.fixture
def facts() -> Facts:
    return Facts()


@pytest.fixture
def recall(facts: Facts) -> Recall:
    store: Any = facts
    return Recall(store, {"drive": "drive-home"}, most_bytes=MOST_BYTES)


LOGIN = Login(Actor(principal_id=1, uid="ann"), revision=3, version=0)


def key(name: str) -> Any:
    return (1, False, "", b"GET", name.encode(), b"", b"")


def keep(recall: Recall, name: str, response: Response, **more: Any) -> None:
    recall.keep(key(name), response, **{"login": LOGIN, "home": HOME, "stamp": STAMP, "version": 10, **more})


def test_the_same_version_proves_an_answer(recall, facts):
    keep(recall, "a", Response(body=b"x"))
    facts.stamps = {}
    assert recall.find(key("a"), LOGIN, 10) is not None


def test_an_equal_stamp_proves_it_too(recall, facts):
    keep(recall, "a", Response(body=b"x"))
    assert recall.find(key("a"), LOGIN, 11) is not None
    facts.stamps = {}
    assert recall.find(key("a"), LOGIN, 11) is not None


@pytest.mark.parametrize("stamp", [None, attrs.evolve(STAMP, revision=2), attrs.evolve(STAMP, principals=1)])
def test_another_stamp_proves_nothing(recall, facts, stamp):
    keep(recall, "a", Response(body=b"x"))
    facts.stamps[7] = stamp
    assert recall.find(key("a"), LOGIN, 11) is None
    facts.stamps[7] = STAMP
    assert recall.find(key("a"), LOGIN, 11) is None


def test_what_says_that_it_depends_on_the_time_is_not_kept(recall):
    for value, kept in (("no-store", False), ("no-cache", True)):
        keep(recall, value, Response(headers=(("Cache-Control", value),), body=b"x"))
        assert (recall.find(key(value), LOGIN, 10) is not None) is kept


def test_other_rights_prove_nothing(recall):
    keep(recall, "a", Response(body=b"x"))
    assert recall.find(key("a"), attrs.evolve(LOGIN, revision=4), 10) is None


@pytest.mark.parametrize(
    "response",
    [
        Response(status=404, body=b"x"),  # type: ignore[arg-type]
        Response(status=304),  # type: ignore[arg-type]
        Response(body=b"x" * (LARGEST_BYTES + 1)),
        Response(body=iter([b"x"])),
        Response(body=b"<D:activelock/>"),
    ],
)
def test_refusals_large_answers_and_locks_are_not_kept(recall, response):
    keep(recall, "a", response)
    assert recall.find(key("a"), LOGIN, 10) is None


def test_what_is_kept_is_bounded(recall):
    each = LARGEST_BYTES
    for number in range(MOST_BYTES // each + 10):
        keep(recall, str(number), Response(body=b"x" * each))
    assert recall.find(key("0"), LOGIN, 10) is None
    assert recall.find(key(str(number)), LOGIN, 10) is not None
    assert recall._size_bytes <= MOST_BYTES


def test_replacing_an_answer_does_not_count_it_twice(recall):
    for _ in range(3):
        keep(recall, "a", Response(body=b"x" * 1000))
    assert recall._size_bytes < 5000


def test_homes_are_known_by_their_paths(recall, facts):
    home = recall.home(Href(("drive", "user", "ann", "a", "b")))
    assert recall.home(Href(("drive", "user", "ann"), collection=True)) is home
    assert recall.home(Href(("drive", "user"))) is None
    assert recall.home(Href(("principals", "user", "ann"))) is None


@attrs.define
class Rows:
    """What a transaction sees of homes."""

    stamps: dict[int, Any]
    asked: int = 0

    @property
    def collections(self) -> "Rows":
        return self

    def locate(self, principal_kind: str, uid: str, kind: str, names: Any) -> list[Any]:
        self.asked += 1
        return [Namespace(id=each) for each in self.stamps]

    def stamp(self, home_id: int) -> Any:
        return self.stamps.get(home_id)


def test_which_row_a_home_is_turns_out_in_a_transaction():
    home, txn = Home("drive-home", "user", "ann"), Rows({7: STAMP})
    assert (home.stamp(txn), home.stamp(txn), home.id, txn.asked) == (STAMP, STAMP, 7, 1)
    assert home.stamp(Rows({})) is None
    assert home.stamp(Rows({8: STAMP})) == STAMP
    assert home.id == 8
