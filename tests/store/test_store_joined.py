"""Members that the database itself writes as text: the same as from rows, and never one that has to be escaped."""

from collections.abc import Callable

import attrs
import pytest
from samples import Place, draft, furnish, put, statements

from calserver.dav import quote_segment, xml
from calserver.store import Part, Store, Transaction, Variant
from calserver.store import joined as module

TEMPLATE = ("<", Part.NAME, "|", Part.ETAG, "|", Part.TYPE, ">")


def written(store: Store, place: Place) -> str | None:
    pieces = store.read_now(lambda txn: txn.objects.joined(place.calendar.id, TEMPLATE))
    return None if pieces is None else b"".join(pieces).decode()


def some(store: Store, place: Place, most: int) -> tuple[str, int | None] | None:
    found = store.read_now(lambda txn: txn.objects.joined_some(place.calendar.id, TEMPLATE, most))
    return None if found is None else (b"".join(found[0]).decode(), found[1])


def from_rows(store: Store, place: Place) -> str:
    rows = store.read_now(lambda txn: txn.objects.listing(place.calendar.id))
    return "".join(f"<{name}|{etag}|{content_type}>" for name, etag, content_type in rows)


def test_an_empty_collection_is_no_text(store: Store, place: Place) -> None:
    assert written(store, place) == ""


@pytest.mark.parametrize("count", [1, 4, 5, 6, 11])
def test_members_are_written_by_name_page_by_page(
    store: Store, place: Place, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 5)
    for number in range(count):
        put(store, place.calendar.id, f"{number * 7 % 11:02}.ics", b"x" * number)
    assert written(store, place) == from_rows(store, place)
    assert some(store, place, count) == (written(store, place), None)


@pytest.mark.parametrize("most", [1, 4, 5, 6, 10, 11])
def test_some_members_are_those_that_were_changed_first(
    store: Store, place: Place, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 5)
    for number in range(12):
        put(store, place.calendar.id, f"{number * 7 % 12:02}.ics", b"x" * number)
    put(store, place.calendar.id, "07.ics", b"changed")
    rows = store.read_now(lambda txn: txn.changes.listing(place.calendar.id, 0, most))
    text = "".join(f"<{name}|{etag}|{content_type}>" for name, etag, content_type, _ in rows)
    assert some(store, place, most) == (text, rows[-1][3])


def test_some_members_are_not_written_where_one_has_to_be_escaped(store: Store, place: Place) -> None:
    put(store, place.calendar.id, "plain")
    put(store, place.calendar.id, "not plain")
    assert some(store, place, 1) is None


def test_a_page_is_two_statements_and_the_look_for_what_is_escaped_another(store: Store, place: Place) -> None:
    for number in range(30):
        put(store, place.calendar.id, f"{number}")
    assert statements(store, lambda txn: txn.objects.joined(place.calendar.id, TEMPLATE)) == 3


@pytest.mark.parametrize("character", [*map(chr, range(32, 128)), "é", "日", "\U0001f4c5"])
def test_names_are_plain_where_a_path_leaves_them_as_they_are(store: Store, place: Place, character: str) -> None:
    put(store, place.calendar.id, f"a{character}b")
    assert (written(store, place) is not None) is (quote_segment(character) == character)


@pytest.mark.parametrize("character", [*map(chr, range(32, 128)), "é", "\t"])
def test_media_types_are_plain_where_xml_leaves_them_as_they_are(store: Store, place: Place, character: str) -> None:
    put(store, place.calendar.id, content_type=f"text/{character}")
    found = written(store, place)
    assert found is None or xml.escape(character) == character
    assert found is not None or not (" " <= character <= "~") or xml.escape(character) != character


def test_another_collection_does_not_matter(store: Store, place: Place) -> None:
    put(store, place.calendar.id, "plain")
    put(store, place.home.id, "not plain")
    assert written(store, place) == from_rows(store, place)


CHANGES: dict[str, Callable[[Transaction, Place], object]] = {
    "renamed": lambda txn, at: txn.objects.move(1, at.calendar.id, "not plain"),
    "copied": lambda txn, at: txn.objects.copy(1, at.calendar.id, "not plain"),
    "replaced": lambda txn, at: txn.objects.put(at.calendar.id, draft("plain", content_type="a<b")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_member_that_is_not_plain_any_more_is_noticed(store: Store, place: Place, change: str) -> None:
    put(store, place.calendar.id, "plain")
    assert written(store, place) is not None
    store.write_now(lambda txn: CHANGES[change](txn, place))
    assert written(store, place) is None


def test_what_is_bound_to_another_collection_is_written_as_its_sharee_sees_it(store: Store, place: Place) -> None:
    """Each member as it is for the owner, for all sharees, or for one alone."""
    for number in range(9):
        put(store, place.calendar.id, f"{number}.ics")

    def bind(txn: Transaction) -> tuple[Place, Place, int, int]:
        calendar = txn.collections.get(place.calendar.id)
        assert calendar is not None
        bob, cid = furnish(txn, "bob"), furnish(txn, "cid")
        to_bob, to_cid = (
            txn.shares.bind(calendar, each.home, "bound", "shared", access="read", properties={}, display_name=None).id
            for each in (bob, cid)
        )
        rows = [*txn.objects.iterate(calendar.id)]
        for row, _ in rows[:6]:
            txn.shares.set_common(row.id, Variant(text=b"", etag=f"common {row.name}"))
        for row, _ in rows[4:8]:
            txn.shares.set_personal(row.id, bob.principal.id, Variant(text=b"", etag=f"own {row.name}"))
        return bob, cid, to_bob, to_cid

    bob, cid, to_bob, to_cid = store.write_now(bind)
    for who, bound in ((bob, to_bob), (cid, to_cid)):
        at = attrs.evolve(who, calendar=attrs.evolve(who.calendar, id=bound))
        assert written(store, at) == from_rows(store, at)
        assert len({*(some(store, at, 8) or ("",))[0].split("<")} - {*from_rows(store, at).split("<")}) == 0
        assert ("own 5.ics" in (written(store, at) or "")) is (who is bob)
    assert store.read_now(lambda txn: txn.objects.listing(to_bob)) != store.read_now(
        lambda txn: txn.objects.listing(to_cid)
    )
