"""Rows become values that are like any others."""

from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calserver.store import Collection, Object
from calserver.store.rows import (
    COLLECTION,
    OBJECT,
    collection_from,
    instant,
    mapping,
    microseconds,
    object_from,
    packed,
)


@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_keep_their_microseconds(value: datetime) -> None:
    assert instant(microseconds(value)) == value
    assert instant(microseconds(value)).tzinfo is UTC


@given(st.dictionaries(st.text(), st.text()))
def test_properties_keep_every_character(value: dict[str, str]) -> None:
    assert mapping(packed(value)) == value


@pytest.mark.parametrize(
    ("kind", "columns", "make"), [(Object, OBJECT, object_from), (Collection, COLLECTION, collection_from)]
)
def test_a_value_from_a_row_has_every_field_in_its_place(kind, columns, make) -> None:
    """`attrs.fields` is the order in which slots are set, the columns are the order of the row."""
    names = [field.name for field in attrs.fields(kind)]
    assert [column.name for column in columns] == names
    texts = {
        "properties": '{"a":"b"}',
        "components": '["VEVENT"]',
        "transparent": 1,
        "recurring": 1,
        "shared": 1,
        "acl": "[]",
    }
    row: list[object] = [texts.get(name, number) for number, name in enumerate(names)]
    made = make(row)
    for name, stored in zip(names, row, strict=True):
        if name in ("created", "modified"):
            assert getattr(made, name) == instant(stored)
        elif name not in ("properties", "components", "acl"):
            assert getattr(made, name) == stored
    assert made.properties == {"a": "b"}
    assert made.acl == ()
    again = kind(**{name: getattr(made, name) for name in names})
    assert again == made
    assert attrs.evolve(made, revision=99) != made
    assert repr(again) == repr(made)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.revision = 5
