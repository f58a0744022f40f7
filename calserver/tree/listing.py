"""The page that a browser gets of a collection: a list of its members, everything in it escaped."""

from html import escape
from typing import Final

from calserver.dav import Collection, Resource, quote_segment

CONTENT_TYPE: Final = "text/html; charset=utf-8"


def page(collection: Collection) -> bytes:
    """A small HTML page with the members of a collection."""
    title = escape("/" + "/".join(collection.href.segments))
    rows = "\n".join(map(_row, collection.members()))
    up = '<li><a href="../">..</a>\n' if collection.href.segments else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n<h1>{title}</h1>\n'
        f"<ul>\n{up}{rows}\n</ul>\n</html>\n"
    ).encode()


def _row(member: Resource) -> str:
    """A link; ``./`` in front keeps a colon in a name from being a scheme (RFC 3986 section 4.2)."""
    slash = "/" if member.is_collection else ""
    label = escape(member.href.name + slash)
    about = f" ({escape(member.display_name)})" if member.display_name else ""
    if member.content_length is not None:
        about = f" ({member.content_length} bytes)"
    return f'<li><a href="{escape("./" + quote_segment(member.href.name) + slash)}">{label}</a>{about}'
