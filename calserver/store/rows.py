"""How columns become values: instants, JSON texts, and the rows of the tree."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from calserver.dav import unpacked_acl
from calserver.store.schema import collection, object_
from calserver.store.values import Collection, Object

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_MICROSECOND = timedelta(microseconds=1)

COLLECTION = tuple(collection.c)
"""The columns that `collection_from` takes, in its order."""
OBJECT = tuple(column for column in object_.c if not column.name.startswith("common_"))
"""The columns that `object_from` takes, in its order."""


def microseconds(instant: datetime) -> int:
    """An aware instant as it is stored."""
    return (instant - EPOCH) // _MICROSECOND


def instant(stored: int) -> datetime:
    """A stored instant."""
    return EPOCH + timedelta(0, 0, stored)


def packed(value: Mapping[str, str] | Sequence[str]) -> str | None:
    """Properties or a list as they are stored; nothing is stored for an empty one."""
    if not value:
        return None
    plain = dict(value) if isinstance(value, Mapping) else list(value)
    return _as_json(plain)


def mapping(stored: str | None) -> dict[str, str]:
    """Stored properties."""
    return json.loads(stored) if stored else {}


def texts(stored: str | None) -> tuple[str, ...]:
    """A stored list."""
    return tuple(json.loads(stored)) if stored else ()


def setters(kind: type) -> list[Callable[[Any, Any], None]]:
    """What sets the fields of a frozen value, in their order.

    A listing makes ten thousand values; setting their slots takes a third of the time that a constructor with
    keywords takes.
    """
    return [getattr(kind, field.name).__set__ for field in attrs.fields(kind)]


(
    _collection_id,
    _collection_principal_id,
    _collection_home_id,
    _collection_parent_id,
    _collection_name,
    _collection_kind,
    _collection_resource_id,
    _collection_revision,
    _collection_floor,
    _collection_created,
    _collection_modified,
    _collection_properties,
    _collection_display_name,
    _collection_components,
    _collection_transparent,
    _collection_timezone,
    _collection_quota_used_bytes,
    _collection_acl,
    _collection_access_revision,
    _collection_source_id,
    _collection_access,
    _collection_shared,
) = setters(Collection)
(
    _object_id,
    _object_collection_id,
    _object_home_id,
    _object_name,
    _object_resource_id,
    _object_revision,
    _object_created,
    _object_modified,
    _object_etag,
    _object_content_type,
    _object_size,
    _object_properties,
    _object_component,
    _object_uid,
    _object_organizer,
    _object_schedule_tag,
    _object_first,
    _object_last,
    _object_recurring,
    _object_acl,
) = setters(Object)


def collection_from(row: Sequence[Any]) -> Collection:
    """A collection from the columns of `COLLECTION`."""
    made = Collection.__new__(Collection)
    _collection_id(made, row[0])
    _collection_principal_id(made, row[1])
    _collection_home_id(made, row[2])
    _collection_parent_id(made, row[3])
    _collection_name(made, row[4])
    _collection_kind(made, row[5])
    _collection_resource_id(made, row[6])
    _collection_revision(made, row[7])
    _collection_floor(made, row[8])
    _collection_created(made, instant(row[9]))
    _collection_modified(made, instant(row[10]))
    _collection_properties(made, mapping(row[11]))
    _collection_display_name(made, row[12])
    _collection_components(made, texts(row[13]))
    _collection_transparent(made, bool(row[14]))
    _collection_timezone(made, row[15])
    _collection_quota_used_bytes(made, row[16])
    _collection_acl(made, unpacked_acl(row[17]))
    _collection_access_revision(made, row[18])
    _collection_source_id(made, row[19])
    _collection_access(made, row[20])
    _collection_shared(made, bool(row[21]))
    return made


def object_from(row: Sequence[Any]) -> Object:
    """An object from the columns of `OBJECT`, which may be the first of more."""
    made = Object.__new__(Object)
    _object_id(made, row[0])
    _object_collection_id(made, row[1])
    _object_home_id(made, row[2])
    _object_name(made, row[3])
    _object_resource_id(made, row[4])
    _object_revision(made, row[5])
    _object_created(made, instant(row[6]))
    _object_modified(made, instant(row[7]))
    _object_etag(made, row[8])
    _object_content_type(made, row[9])
    _object_size(made, row[10])
    _object_properties(made, mapping(row[11]))
    _object_component(made, row[12])
    _object_uid(made, row[13])
    _object_organizer(made, row[14])
    _object_schedule_tag(made, row[15])
    _object_first(made, row[16])
    _object_last(made, row[17])
    _object_recurring(made, bool(row[18]))
    _object_acl(made, unpacked_acl(row[19]))
    return made


def with_contents(rows: Iterable[Sequence[Any]]) -> list[tuple[Object, bytes]]:
    """Objects with their contents, from the columns of `OBJECT` and the text."""
    width = len(OBJECT)
    return [(object_from(row), row[width]) for row in rows]
