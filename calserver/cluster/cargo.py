"""What goes to another node when something is copied or moved there: a resource with everything below it.

On the wire a line of JSON about the whole, then one item after the other, collections before what is in them: a line of
JSON, and the content, whose length the line says.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from calserver.dav import BadRequest, Request


@attrs.frozen(kw_only=True)
class Item:
    """A collection, or a member with content."""

    names: tuple[str, ...] = ()
    """The way from what is carried down to it; empty for that itself."""
    kind: str = ""
    """``Collection.kind``; empty for what has content."""
    content_type: str = ""
    properties: Mapping[str, str] = attrs.field(factory=dict)
    """Stored properties: Clark name to the element as XML text."""
    acl: str | None = None
    """Its own access control list (`calserver.dav.packed_acl`), which is of interest where it is moved."""
    display_name: str | None = None
    components: tuple[str, ...] = ()
    transparent: bool = False
    timezone: str | None = None
    content: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen(kw_only=True)
class Cargo:
    """What is carried."""

    stamp: str
    """What it was when it was packed: the same as long as nothing of it changes."""
    moves: bool
    """Whether it is moved, not copied."""
    items: tuple[Item, ...]
    """The first is what the others are in."""

    @property
    def is_collection(self) -> bool:
        """Whether it is a collection."""
        return bool(self.items[0].kind)

    def pieces(self) -> Iterator[bytes]:
        """As it is sent."""
        yield _line({"stamp": self.stamp, "moves": self.moves, "items": len(self.items)})
        for each in self.items:
            facts = attrs.asdict(each, filter=lambda field, _: field.name != "content")
            yield _line({**facts, "size": len(each.content)})
            yield each.content


def cargo(request: Request) -> Cargo:
    """The body of a request that brings cargo. For `Request.parsed`.

    Raises:
        BadRequest: it is none, or there is not all of it.
    """
    try:
        return _unpacked(request.body)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BadRequest("this is not what a node packs") from None


def stamp_of(data: bytes) -> bytes:
    """The stamp of what is packed."""
    stamp: str = _read_line(data, 0)[0]["stamp"]
    return stamp.encode()


def _unpacked(data: bytes) -> Cargo:
    whole, at = _read_line(data, 0)
    items = []
    for _ in range(whole["items"]):
        facts, at = _read_line(data, at)
        size = facts.pop("size")
        content, at = data[at : at + size], at + size
        facts |= {"names": tuple(facts["names"]), "components": tuple(facts["components"])}
        items.append(Item(**facts, content=content))
    if at != len(data) or not items:
        raise ValueError("there is more, or less")
    return Cargo(stamp=whole["stamp"], moves=whole["moves"], items=tuple(items))


def _line(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts, separators=(",", ":")).encode() + b"\n"


def _read_line(data: bytes, at: int) -> tuple[dict[str, Any], int]:
    end = data.index(b"\n", at)
    found: Any = json.loads(data[at:end])
    if not isinstance(found, dict):
        raise TypeError("this is no object")
    return found, end + 1
