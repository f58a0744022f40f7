"""The page that a browser gets of a collection: a list of its members, everything in it escaped."""

from collections.abc import Iterable
from html import escape
from typing import Final

import attrs

from calserver.dav import Collection, Href, Resource, quote_segment

CONTENT_TYPE: Final = "text/html; charset=utf-8"


@attrs.frozen
class Row:
    """A member, as a line of the page."""

    name: str
    is_collection: bool
    about: str = ""
    """What is said of it in parentheses."""


def page(collection: Collection) -> bytes:
    """A small HTML page with the members of a collection."""
    return page_of(collection.href, map(_row, collection.members()))


def page_of(href: Href, rows: Iterable[Row]) -> bytes:
    """That of the collection at an href, with these members."""
    title = escape("/" + "/".join(href.segments))
    lines = "\n".join(map(_line, rows))
    up = '<li><a href="../">..</a>\n' if href.segments else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n<h1>{title}</h1>\n'
        f"<ul>\n{up}{lines}\n</ul>\n</html>\n"
    ).encode()


def _row(member: Resource) -> Row:
    length = member.content_length
    return Row(
        member.href.name, member.is_collection, (member.display_name or "") if length is None else f"{length} bytes"
    )


def _line(row: Row) -> str:
    """A link; ``./`` in front keeps a colon in a name from being a scheme (RFC 3986 section 4.2)."""
    slash = "/" if row.is_collection else ""
    label = escape(row.name + slash)
    about = f" ({escape(row.about)})" if row.about else ""
    return f'<li><a href="{escape("./" + quote_segment(row.name) + slash)}">{label}</a>{about}'
