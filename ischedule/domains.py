"""Domains of calendar user addresses, in the one form in which they are compared and looked up."""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

import idna
from publicsuffixlist import PublicSuffixList

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)


@lru_cache(maxsize=4096)
def a_labels(domain: str) -> str:
    """A domain in lower case, in its ASCII form (UTS 46), without a final dot.

    Raises:
        ValueError: it is not the name of a host.
    """
    name = domain.strip().removesuffix(".").lower()
    if not name.isascii():
        name = idna.encode(name, uts46=True).decode("ascii").lower()
    last = name.rpartition(".")[2]
    if len(name) > 253 or not _HOST.fullmatch(name) or last.isdigit():
        raise ValueError(f"{domain} is not the name of a host")
    return name


def domain_of(address: str) -> str:
    """The domain of a calendar user address, which is a ``mailto`` URI (RFC 6068).

    Raises:
        ValueError: it has none that could be looked up.
    """
    scheme, _, rest = address.strip().partition(":")
    local, at, domain = unquote(rest.partition("?")[0]).rpartition("@")
    if scheme.lower() != "mailto" or not at or not local:
        raise ValueError(f"{address} is not a mailto URI with a domain")
    return a_labels(domain)


@lru_cache(maxsize=4096)
def registrable(domain: str) -> str | None:
    """The part of a domain that somebody has registered; None for a public suffix, below which anybody can register."""
    found = _suffixes().privatesuffix(domain)
    return found if isinstance(found, str) else None


def is_public_suffix(domain: str) -> bool:
    """Whether anybody can register below it: ``org``, ``co.uk``."""
    return registrable(domain) is None


def parents(domain: str, most: int = 2) -> tuple[str, ...]:
    """The domain and those above it, nearest first, no further than the registrable one and than `most` steps."""
    last = registrable(domain)
    found = [domain]
    while last and found[-1] != last and len(found) <= most:
        found.append(found[-1].partition(".")[2])
    return tuple(found)


def covers(domain: str, name: str) -> bool:
    """Whether a name is the domain or below it."""
    return name == domain or name.endswith(f".{domain}")


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()  # reading it takes a moment, and not everybody needs it
