"""Bring calendars in from files: many short transactions, each object on its own, again from the start at any time.

What is there already with the same content is left alone, so an import that was interrupted is simply started again. An
object that cannot be stored is told and left out; the others are not concerned.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import attrs

from calserver import calendars
from calserver.admin import ics_files
from calserver.admin.accounts import named
from calserver.admin.calendars import find
from calserver.conditions import ConditionFailed
from calserver.config import Calendars
from calserver.ical import CalendarObject
from calserver.names import split
from calserver.store import Collection, Draft, Object, Principal, Store, Transaction

BATCH = 50
"""Objects per transaction: one wait for the disk for all of them, and a running server waits for no more than that."""

OUTCOMES = NEW, CHANGED, UNCHANGED, REFUSED = "new", "changed", "unchanged", "refused"


@attrs.frozen(kw_only=True)
class Imported:
    """What became of one object of a file, or of a file that cannot be read at all (then `uid` is empty)."""

    file: Path
    uid: str
    outcome: str
    """``new``, ``changed``, ``unchanged`` or ``refused``."""
    reason: str = ""
    progress_bytes: int = 0
    """How much of the file is done with this: over all of its objects, its size."""


@attrs.frozen(kw_only=True)
class _Ready:
    """An object that is checked as far as that is possible without the store."""

    draft: Draft
    told: Imported


def import_files(
    store: Store, owner: str, calendar: str, files: Sequence[Path], *, settings: Calendars
) -> Iterator[Imported]:
    """Store what is in files in a calendar, and tell of each object what became of it.

    Args:
        store: the store; every `BATCH` objects are a transaction.
        owner: uid of a principal, see `accounts.named`.
        calendar: name of one of its calendars.
        files: iCalendar files, see `ics_files.find`.
        settings: the limits of calendar data.

    Raises:
        Refused: there is no such principal or calendar.
    """

    def begun(txn: Transaction) -> tuple[Principal, datetime]:
        principal = named(txn, owner)
        find(txn, principal, calendar)
        return principal, txn.now

    def stored(txn: Transaction) -> list[Imported]:
        place = find(txn, named(txn, owner), calendar)
        return [each if isinstance(each, Imported) else _store(txn, place, each) for each in waiting]

    waiting: list[_Ready | Imported] = []
    principal, now = store.read_now(begun)
    for file in files:
        for each in _read(file, principal, now, settings):
            waiting.append(each)
            if len(waiting) == BATCH:
                yield from store.write_now(stored)
                waiting.clear()
    if waiting:
        yield from store.write_now(stored)


def _read(file: Path, owner: Principal, now: datetime, settings: Calendars) -> Iterator[_Ready | Imported]:
    """The objects of a file; what cannot be read or stored anywhere is told at once."""
    try:
        content = file.read_bytes()
        pieces = list(ics_files.pieces(content, file.stem))
    except OSError as error:
        yield Imported(file=file, uid="", outcome=REFUSED, reason=error.strerror or str(error))
        return
    except ConditionFailed as refused:
        size = len(content)
        yield Imported(file=file, uid="", outcome=REFUSED, reason=_reason(refused), progress_bytes=size)
        return
    done = 0
    for number, piece in enumerate(pieces, 1):
        share = len(content) * number // len(pieces) - done
        done += share
        told = Imported(file=file, uid=piece.uid, outcome=REFUSED, progress_bytes=share)
        try:
            new = CalendarObject.parse(piece.text, limits=calendars.limits(settings))
            own = calendars.own_addresses(owner, new)
            draft = calendars.accepted(piece.name, new, now=now, settings=settings, own=own)
        except ConditionFailed as refused:
            yield attrs.evolve(told, reason=_reason(refused))
        else:
            yield _Ready(draft=draft, told=told)


def _store(txn: Transaction, place: Collection, ready: _Ready) -> Imported:
    """Store an object: in the place of the one with its UID, or under a name that is free."""
    draft, told = ready.draft, ready.told
    holders = txn.objects.by_uid(place.home_id, draft.uid or "")
    replaced = next((each for each in holders if each.collection_id == place.id), None)
    if replaced is not None:
        if replaced.etag == draft.etag:
            return attrs.evolve(told, outcome=UNCHANGED)
        draft = attrs.evolve(draft, name=replaced.name)
    elif _taken(txn, place, draft.name):
        draft = attrs.evolve(draft, name=hashlib.sha256((draft.uid or "").encode()).hexdigest()[:32] + ".ics")
    try:
        calendars.admit(txn, place, draft, _name, replaced=replaced)
    except ConditionFailed as refused:
        return attrs.evolve(told, reason=_reason(refused))
    row, _ = txn.objects.put(place.id, draft)
    calendars.spread(txn, place, row, draft.text)
    return attrs.evolve(told, outcome=NEW if replaced is None else CHANGED)


def _taken(txn: Transaction, place: Collection, name: str) -> bool:
    return txn.objects.get(place.id, name) is not None or txn.collections.child(place.id, name) is not None


def _name(holder: Object) -> str:
    return holder.name


def _reason(refused: ConditionFailed) -> str:
    return refused.reason or split(refused.name)[1]
