"""What sharees see of the objects of a shared calendar, kept in line with what is stored (see `personal`)."""

from typing import Final

from calserver.calendars import personal
from calserver.ical import CalendarObject
from calserver.store import Collection, Object, Transaction

_CHUNK: Final = 200


def prepare(txn: Transaction, calendar: Collection) -> None:
    """Work out what sharees will see of each object, before anybody does."""
    names = [row[0] for row in txn.objects.listing(calendar.id)]
    for begin in range(0, len(names), _CHUNK):
        for row, text in txn.objects.named(calendar.id, names[begin : begin + _CHUNK]).values():
            _keep_common(txn, row, text)


def spread(txn: Transaction, calendar: Collection, row: Object, text: bytes) -> None:
    """Bring the forms that sharees see into line with what the owner has stored.

    To be called for each object that is written to a calendar; where nobody shares that, it does nothing.
    """
    if not calendar.shared:
        return
    before = txn.shares.personal(row.id)
    if before:
        keep(txn, row, personal.written_by_owner(CalendarObject.stored(text), before))
    else:
        _keep_common(txn, row, text)


def keep(txn: Transaction, row: Object, forms: personal.Forms) -> None:
    """Store what sharees see; the owner's form is stored already."""
    _keep_common(txn, row, forms.owner.text)
    for principal, form in forms.personal.items():
        txn.shares.set_personal(row.id, principal, form)


def _keep_common(txn: Transaction, row: Object, text: bytes) -> None:
    form = personal.common_form(text)
    if form is not None:
        txn.shares.set_common(row.id, form)
