"""The instance index: what overlaps a range of time, and that finding it costs the same in any calendar."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import DAY, HOUR, Place, draft, furnish, put, sqlite_only, steps

from calserver.ical import Instance
from calserver.store import Store, Transaction
from calserver.store.instances import LONGEST, band_of
from calserver.store.schema import MARKED

WEEK = 7 * DAY


def fill(store: Store, place: Place, *rows: Instance, component: str = "VEVENT") -> None:
    """An object for each row, named by its number."""
    for number, row in enumerate(rows):
        put(store, place.calendar.id, f"{number}", instances=(row,), component=component)


def in_range(store: Store, place: Place, start: int, end: int, **more: object) -> list[str]:
    found = store.read_now(lambda txn: txn.objects.in_range([place.calendar.id], start, end, **more))
    return [each.name for each, _ in found]


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (0, 100, False),
        (100, 200, True),
        (150, 160, True),
        (199, 300, True),
        (200, 300, False),
        (0, 101, True),
        (0, 10_000, True),
    ],
)
def test_an_instance_is_in_the_ranges_that_it_overlaps(
    store: Store, place: Place, start: int, end: int, found: bool
) -> None:
    """RFC 4791 section 9.9: ``(start < DTEND AND end > DTSTART)``."""
    fill(store, place, Instance(start=100, end=200))
    assert in_range(store, place, start, end) == (["0"] if found else [])


@pytest.mark.parametrize(
    ("start", "end", "found"), [(99, 100, False), (100, 101, True), (50, 200, True), (101, 200, False)]
)
def test_what_lasts_no_time_is_where_it_begins(store: Store, place: Place, start: int, end: int, found: bool) -> None:
    """RFC 4791 section 9.9: ``(start <= DTSTART AND end > DTSTART)``."""
    fill(store, place, Instance(start=100, end=100))
    assert in_range(store, place, start, end) == (["0"] if found else [])


def test_a_marker_stands_for_all_time_after_it(store: Store, place: Place) -> None:
    fill(
        store,
        place,
        Instance(start=1000, end=1000, marker=True),
        Instance(start=1000, end=1000, marker=True, floating=True),
    )
    assert in_range(store, place, 0, 1000) == []
    assert in_range(store, place, 0, 1001) == ["0", "1"]
    assert in_range(store, place, 2**40, 2**41) == ["0", "1"]
    found = store.read_now(lambda txn: txn.objects.busy([place.calendar.id], 2**40, 2**41))
    assert [(row.marker, row.floating) for _, row in found] == [(True, False), (True, True)]


def test_floating_rows_are_compared_with_wall_clock_time(store: Store, place: Place) -> None:
    """Two hours east of UTC, noon on the wall is ten o'clock UTC (RFC 4791 section 7.3)."""
    noon = 12 * HOUR
    fill(store, place, Instance(start=noon, end=noon + HOUR, floating=True), Instance(start=noon, end=noon + HOUR))
    east = (2 * HOUR, 2 * HOUR)
    assert in_range(store, place, 10 * HOUR, 11 * HOUR, floating_offset=east) == ["0"]
    assert in_range(store, place, noon, noon + HOUR, floating_offset=east) == ["1"]
    assert in_range(store, place, noon, noon + HOUR) == ["0", "1"]


def test_an_object_is_found_once_with_its_content_and_only_of_the_asked_kind(store: Store, place: Place) -> None:
    weekly = tuple(Instance(start=n * WEEK, end=n * WEEK + HOUR, recurrence_id=str(n)) for n in range(50))
    made = put(store, place.calendar.id, text=b"weekly", instances=weekly)
    ids = [place.calendar.id]
    assert store.read_now(lambda txn: txn.objects.in_range(ids, 0, 99 * WEEK)) == [(made, b"weekly")]
    assert store.read_now(lambda txn: txn.objects.in_range(ids, 0, 9, component="VTODO")) == []
    assert store.read_now(lambda txn: txn.objects.in_range(ids, 0, 9, component="VEVENT")) == [(made, b"weekly")]
    found = store.read_now(lambda txn: txn.objects.busy(ids, 10 * WEEK, 12 * WEEK))
    assert [(of.id, of.name, row) for of, row in found] == [(made.id, made.name, weekly[n]) for n in (10, 11)]


def test_several_collections_are_searched_at_once(store: Store, place: Place) -> None:
    other = store.write_now(lambda txn: furnish(txn, "bob"))
    third = store.write_now(lambda txn: furnish(txn, "cid"))
    for each in (place, other, third):
        put(store, each.calendar.id, each.principal.uid)

    def names(*places: Place) -> list[str]:
        ids = [each.calendar.id for each in places]
        found = store.read_now(lambda txn: txn.objects.in_range(iter(ids), 0, 9))
        busy = store.read_now(lambda txn: txn.objects.busy(iter(ids), 0, 9))
        assert [each.name for each, _ in busy] == [each.name for each, _ in found]
        return [each.name for each, _ in found]

    assert names(place, other) == ["ann", "bob"]
    assert names(third) == ["cid"]
    assert names() == []


def test_busy_rows_come_by_start_and_without_free_ones(store: Store, place: Place) -> None:
    rows = [
        Instance(start=30, end=40, busy="T"),
        Instance(start=0, end=200 * DAY, busy="U"),
        Instance(start=20, end=9 * DAY),
        Instance(start=10, end=20, busy="F"),
        Instance(start=25, end=26, floating=True),
    ]
    fill(store, place, *rows)
    found = store.read_now(lambda txn: txn.objects.busy([place.calendar.id], 0, 100))
    assert [row for _, row in found] == [rows[1], rows[2], rows[4], rows[0]]
    assert [of.name for of, _ in found] == ["1", "2", "4", "0"]
    assert in_range(store, place, 0, 100) == ["0", "1", "2", "3", "4"]


def test_index_rows_follow_their_object(store: Store, place: Place) -> None:
    other = store.write_now(lambda txn: furnish(txn, "bob"))
    made = put(store, place.calendar.id, instances=(Instance(start=0, end=1), Instance(start=0, end=1)))
    put(store, place.calendar.id, instances=(Instance(start=50, end=51),))
    assert in_range(store, place, 0, 2) == []
    assert in_range(store, place, 50, 51) == ["lunch.ics"]
    store.write_now(lambda txn: txn.objects.move(made.id, other.calendar.id, "moved"))
    assert in_range(store, place, 0, 100) == []
    assert in_range(store, other, 0, 100) == ["moved"]


def test_new_index_rows_are_no_change_that_anybody_sees(store: Store, place: Place) -> None:
    made = put(store, place.calendar.id)
    store.write_now(lambda txn: txn.objects.set_instances(made.id, [Instance(start=7000, end=7001)]))
    assert in_range(store, place, 0, 100) == []
    assert in_range(store, place, 7000, 7001) == ["lunch.ics"]
    assert store.read_now(lambda txn: txn.objects.by_id(made.id)) == made


def test_objects_whose_marker_the_horizon_passed_are_to_be_indexed_anew(store: Store, place: Place) -> None:
    fill(
        store,
        place,
        Instance(start=300, end=300, marker=True),
        Instance(start=100, end=100, marker=True, floating=True),
        Instance(start=100, end=200),
        Instance(start=200, end=200, marker=True),
    )

    def names(horizon: int, limit: int) -> set[str]:
        return {each.name for each, _ in store.read_now(lambda txn: txn.objects.unindexed(horizon, limit))}

    assert names(300, 10) == {"1", "3"}
    assert names(301, 10) == {"0", "1", "3"}
    assert names(301, 2) == {"1", "3"}
    assert names(100, 10) == set()


def test_the_marker_index_knows_the_bands_of_markers() -> None:
    bands = {band_of(Instance(start=0, end=0, marker=True, floating=floating)) for floating in (False, True)}
    assert f"band IN ({', '.join(map(str, sorted(bands)))})" == MARKED


EDGES = sorted({0, 1, *(edge + near for edge in LONGEST for near in (-1, 0, 1)), 10 * LONGEST[-1]})
moments = st.integers(0, 12).map(lambda n: n * 30 * DAY) | st.integers(0, 400 * DAY)
rows = st.builds(
    lambda start, lasts, floating, busy, marker: Instance(
        start=start, end=start + lasts, floating=floating, busy=busy, marker=marker
    ),
    moments,
    st.sampled_from(EDGES) | st.integers(0, 100 * DAY),
    st.booleans(),
    st.sampled_from("BTUF"),
    st.integers(0, 9).map(lambda n: n == 0),
)
offsets = st.sampled_from([0, 2 * HOUR, -10 * HOUR])


def overlaps(row: Instance, start: int, end: int) -> bool:
    if row.marker:
        return row.start < end
    return row.start < end and (row.end > start or row.start >= start)


@given(
    data=st.lists(rows, max_size=40),
    start=moments,
    lasts=st.sampled_from([1, *EDGES[1:]]),
    offset=st.tuples(offsets, offsets),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_index_finds_what_a_slow_search_finds(
    store: Store, place: Place, data: list[Instance], start: int, lasts: int, offset: tuple[int, int]
) -> None:
    """Each example has a calendar of its own."""
    end = start + lasts

    def work(txn):
        id = txn.collections.add(place.home.id, str(txn.collections.get(place.home.id).revision), "calendar").id
        for number, row in enumerate(data):
            txn.objects.put(id, draft(f"{number:03}", instances=(row,)))
        return (
            txn.objects.in_range([id], start, end, floating_offset=offset),
            txn.objects.busy([id], start, end, floating_offset=offset),
            txn.objects.taken([id, place.home.id], start, end, floating_offset=offset),
        )

    found, busy, taken = store.write_now(work)
    expected = [
        f"{number:03}"
        for number, row in enumerate(data)
        if (overlaps(row, start + offset[0], end + offset[1]) if row.floating else overlaps(row, start, end))
    ]
    assert [each.name for each, _ in found] == expected
    assert sorted(each.name for each, _ in busy) == [name for name in expected if data[int(name)].busy != "F"]
    assert all(row == data[int(each.name)] for each, row in busy)
    assert sorted(map(tuple, taken)) == sorted(
        (row.start, row.end, row.busy, row.floating, each.collection_id, each.id, row.marker) for each, row in busy
    )


def test_availability_is_found_among_what_takes_time(store: Store, place: Place) -> None:
    fill(store, place, Instance(start=0, end=HOUR), Instance(start=0, end=HOUR, busy="F"))
    put(store, place.calendar.id, "hours", instances=(Instance(start=0, end=DAY, busy="F"),), component="VAVAILABILITY")

    def look(txn: Transaction) -> None:
        for ids in ([place.calendar.id], [place.calendar.id, place.home.id]):
            found = txn.objects.available(ids, 0, HOUR)
            assert found == txn.objects.in_range(ids, 0, HOUR, component="VAVAILABILITY")
            assert [each.name for each, _ in found] == ["hours"]
            assert txn.objects.available(ids, DAY, 2 * DAY) == []

    store.read_now(look)


@sqlite_only
def test_a_week_is_found_by_steps_that_do_not_grow_with_the_calendar(store: Store, place: Place) -> None:
    def add(first: int, count: int):
        def work(txn):
            for number in range(first, first + count):
                start = number * DAY
                txn.objects.put(
                    place.calendar.id, draft(f"{number}", instances=(Instance(start=start, end=start + HOUR),))
                )

        return work

    def look(txn: Transaction) -> None:
        assert len(txn.objects.in_range([place.calendar.id], 50 * DAY, 57 * DAY)) == 7

    store.write_now(add(0, 100))
    few = steps(store, look)
    store.write_now(add(100, 2000))
    assert steps(store, look) == few
