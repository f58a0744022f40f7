"""How columns become values: instants, JSON texts, and the rows of the tree."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from calserver.store.interface import Collection, Object
from calserver.store.schema import collection, object_

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

COLLECTION = tuple(collection.c)
"""The columns that `collection_from` takes, in its order."""
OBJECT = tuple(object_.c)
"""The columns that `object_from` takes, in its order."""


def microseconds(instant: datetime) -> int:
    """An aware instant as it is stored."""
    return (instant - EPOCH) // _MICROSECOND


def instant(stored: int) -> datetime:
    """A stored instant."""
    return EPOCH + timedelta(microseconds=stored)


def packed(value: Mapping[str, str] | Sequence[str]) -> str | None:
    """Properties or a list as they are stored; nothing is stored for an empty one."""
    if not value:
        return None
    plain = dict(value) if isinstance(value, Mapping) else list(value)
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def mapping(stored: str | None) -> dict[str, str]:
    """Stored properties."""
    return json.loads(stored) if stored else {}


def texts(stored: str | None) -> tuple[str, ...]:
    """A stored list."""
    return tuple(json.loads(stored)) if stored else ()


def collection_from(row: Sequence[Any]) -> Collection:
    """A collection from the columns of `COLLECTION`."""
    return Collection(
        id=row[0],
        principal_id=row[1],
        home_id=row[2],
        parent_id=row[3],
        name=row[4],
        kind=row[5],
        resource_id=row[6],
        revision=row[7],
        floor=row[8],
        created=instant(row[9]),
        modified=instant(row[10]),
        properties=mapping(row[11]),
        display_name=row[12],
        components=texts(row[13]),
        transparent=bool(row[14]),
        timezone=row[15],
        quota_used_bytes=row[16],
    )


def object_from(row: Sequence[Any]) -> Object:
    """An object from the columns of `OBJECT`, which may be the first of more."""
    return Object(
        id=row[0],
        collection_id=row[1],
        home_id=row[2],
        name=row[3],
        resource_id=row[4],
        revision=row[5],
        created=instant(row[6]),
        modified=instant(row[7]),
        etag=row[8],
        content_type=row[9],
        size=row[10],
        properties=mapping(row[11]),
        component=row[12],
        uid=row[13],
        organizer=row[14],
        schedule_tag=row[15],
        first=row[16],
        last=row[17],
        recurring=bool(row[18]),
    )
