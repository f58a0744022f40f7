"""Which objects a range finds by a marker alone."""

from calserver.ical import Instance
from calserver.store import Draft, Store, Transaction


def test_a_marker_alone_proves_nothing(store: Store, place) -> None:
    """An instance in the range does, whatever marker there is besides; floating rows have markers of their own."""
    rows = {
        "instance": (Instance(start=0, end=10),),
        "both": (Instance(start=0, end=10), Instance(start=50, end=50, marker=True)),
        "marker": (Instance(start=50, end=50, marker=True),),
        "floating": (Instance(start=50, end=50, marker=True, floating=True),),
    }

    def work(txn: Transaction) -> list[list[str]]:
        for name, instances in rows.items():
            text = name.encode()
            txn.objects.put(
                place.calendar.id,
                Draft(name=name, text=text, content_type="text/calendar", etag=name, instances=instances),
            )
        found = []
        for ids, start, end in (([place.calendar.id], 0, 100), ([place.calendar.id], 20, 100), ([], 0, 100)):
            marked = txn.objects.only_marked(ids, start, end)
            found.append(sorted(txn.objects.by_id(each).name for each in marked))
        return found

    assert store.write_now(work) == [["floating", "marker"], ["both", "floating", "marker"], []]
