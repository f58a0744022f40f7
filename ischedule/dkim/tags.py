"""Tag-lists: ``v=1; a=rsa-sha256; ...`` (RFC 6376 section 3.2), of signatures and of key records alike."""

import re
from base64 import b64decode
from binascii import Error
from typing import Final

_SPACE: Final = " \t\r\n"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_BLANKS: Final = re.compile(r"[ \t\r\n]+")


def parse_tags(text: str) -> dict[str, str]:
    """Names and values of the tags in their order, without white space around them.

    Raises:
        ValueError: it is no tag-list, or a tag is there twice, which makes all of it invalid.
    """
    found: dict[str, str] = {}
    items = text.split(";")
    if not items[-1].strip(_SPACE):
        items.pop()
    for item in items:
        name, equals, value = item.partition("=")
        name = name.strip(_SPACE)
        if not equals or not _NAME.fullmatch(name):
            raise ValueError(f"{item.strip(_SPACE)[:40]!r} is not a tag")
        if name in found:
            raise ValueError(f"the tag {name}= is there twice")
        found[name] = value.strip(_SPACE)
    if not found:
        raise ValueError("there are no tags")
    return found


def octets(value: str) -> bytes:
    """The octets of a base64 value, in which there may be white space.

    Raises:
        ValueError: it is not base64.
    """
    try:
        return b64decode(_BLANKS.sub("", value), validate=True)
    except Error:
        raise ValueError("not base64") from None


def listed(value: str, *, lower: bool = True) -> tuple[str, ...]:
    """The items of a value that is a list divided by colons."""
    return tuple(each.strip(_SPACE) for each in (value.lower() if lower else value).split(":"))
