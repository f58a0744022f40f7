"""Fetch the public keys of strangers: the records that the tags ``d``, ``s`` and ``q`` of a signature name.

    fetcher = KeyFetcher(resolver, reactor)
    for record in await fetcher.fetch(KeyQuery(method="dns/txt", domain="example.org", selector="cal1")):
        ...                                                 # "v=DKIM1; k=rsa; p=..."

What is returned is text: tag-lists as they were published, none if there are none, several where a name has several.
What they mean is the business of `ischedule.dkim`.

Whoever signs a message decides what is looked up. So a name is looked up once at a time, what was found and what was
not is remembered for a while, and there are so many look-ups in a second and no more.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from random import SystemRandom
from types import MappingProxyType
from typing import Final, Protocol

import attrs
from twisted.internet.interfaces import IReactorTime

from ischedule.agent import GuardedAgent, Reply, same_host
from ischedule.connection import ExchangeFailed, Unreachable
from ischedule.discovery import Draw, in_order, target_host
from ischedule.domains import a_labels, is_public_suffix
from ischedule.resolver import Lookup, TemporaryFailure, services, texts
from ischedule.waiting import Cache

__all__ = ["KeyFetcher", "KeyTimes", "Query", "TemporaryFailure", "private_keys"]

DNS: Final = "dns/txt"
WELL_KNOWN: Final = "http/well-known"
PRIVATE: Final = "private-exchange"

KEY_BYTES: Final = 16 * 1024
HTTP_SECONDS: Final = 5.0
MOST_SERVERS: Final = 3
_SELECTOR: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*", re.I)
_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age=\"?(\d{1,9})", re.I)


class Query(Protocol):
    """Where to look for a key, as `ischedule.dkim.KeyQuery` says it."""

    @property
    def method(self) -> str:
        """``dns/txt``, ``http/well-known`` or ``private-exchange``."""

    @property
    def domain(self) -> str:
        """The signing domain."""

    @property
    def selector(self) -> str:
        """Which key of it."""


@attrs.frozen(kw_only=True)
class KeyTimes:
    """How long keys are remembered, in seconds; and how many look-ups there are in one."""

    shortest: float = 60.0
    longest: float = 3600.0
    missing: float = 60.0
    """How long it is remembered that there is none."""
    failure: float = 30.0
    refresh: float = 60.0
    """How old a remembered key must be, before it is fetched anew for the sake of a signature that it does not fit."""
    per_second: int = 20


Find = Callable[[], Awaitable[tuple[tuple[str, ...], float]]]
"""One of the methods: the records, and for how many seconds they may be kept."""


@attrs.frozen
class _Found:
    records: tuple[str, ...] | TemporaryFailure
    at: float


NO_KEYS: Final[Mapping[tuple[str, str], Sequence[str]]] = MappingProxyType({})
USUAL: Final = KeyTimes()


class KeyFetcher:
    """Fetches keys and remembers them.

    Args:
        lookup: answers questions about names.
        clock: the time.
        agent: makes the requests of ``http/well-known``; without it, that method finds nothing.
        private: what was exchanged by other means: domain and selector to tag-lists.
        times: how long things are remembered.
        draw: chance, for servers of the same priority.
        size: most keys that are remembered.
    """

    def __init__(
        self,
        lookup: Lookup,
        clock: IReactorTime,
        *,
        agent: GuardedAgent | None = None,
        private: Mapping[tuple[str, str], Sequence[str]] = NO_KEYS,
        times: KeyTimes = USUAL,
        draw: Draw | None = None,
        size: int = 10_000,
    ) -> None:
        self._lookup = lookup
        self._clock = clock
        self._agent = agent
        self._private = private
        self._times = times
        self._draw: Draw = draw or SystemRandom()
        self._cache: Cache[tuple[str, str, str], _Found] = Cache(clock, size=size)
        self._allowance = float(times.per_second)
        self._allowed_at = clock.seconds()

    async def fetch(self, query: Query, *, fresh: bool = False) -> tuple[str, ...]:
        """The records of a key by one method; none if there are none, or the method is not one of ours.

        Args:
            query: method, domain and selector.
            fresh: do not believe what was remembered for more than a minute: the key may have been replaced.

        Raises:
            TemporaryFailure: it is not known at the moment.
        """
        try:
            domain = a_labels(query.domain)
        except ValueError:
            return ()
        selector = query.selector.lower()
        if is_public_suffix(domain) or len(selector) > 200 or not _SELECTOR.fullmatch(selector):
            return ()
        if query.method == PRIVATE:
            return tuple(self._private.get((domain, selector), ()))
        find: Find
        if query.method == DNS:
            find = partial(self._by_dns, domain, selector)
        elif query.method == WELL_KNOWN and self._agent is not None:
            find = partial(self._by_http, self._agent, domain, selector)
        else:
            return ()
        key = query.method, domain, selector
        look_up = partial(self._look_up, find)
        found, _ = await self._cache.get(key, look_up)
        if fresh and self._clock.seconds() - found.at >= self._times.refresh:
            found, _ = await self._cache.get(key, look_up, fresh=True)
        if isinstance(found.records, TemporaryFailure):
            raise TemporaryFailure(str(found.records))
        return found.records

    async def _look_up(self, find: Find) -> tuple[_Found, float]:
        self._spend()
        times = self._times
        try:
            records, ttl = await find()
        except TemporaryFailure as failure:
            return _Found(failure, self._clock.seconds()), times.failure
        seconds = min(max(ttl, times.shortest), times.longest) if records else times.missing
        return _Found(records, self._clock.seconds()), seconds

    def _spend(self) -> None:
        """Take one look-up out of the allowance, which grows again with time."""
        now = self._clock.seconds()
        most = self._times.per_second
        self._allowance = min(most, self._allowance + (now - self._allowed_at) * most)
        self._allowed_at = now
        if self._allowance < 1:
            raise TemporaryFailure("too many keys are asked for at the moment")
        self._allowance -= 1

    async def _by_dns(self, domain: str, selector: str) -> tuple[tuple[str, ...], float]:
        """The TXT records of a key, the strings of each joined (RFC 6376 section 3.6.2.2)."""
        answer = await self._lookup.lookup(f"{selector}._domainkey.{domain}", "TXT", fresh=True)
        joined = (b"".join(strings) for strings in texts(answer))
        return tuple(each.decode("utf-8", "replace") for each in joined if len(each) <= KEY_BYTES), answer.ttl

    async def _by_http(self, agent: GuardedAgent, domain: str, selector: str) -> tuple[tuple[str, ...], float]:
        """A document with a record in each line, from a server that an SRV record names, or the domain's own."""
        places = [domain]
        records = services(await self._lookup.lookup(f"_domainkey_lookup._tcp.{domain}", "SRV"))
        if records:
            ordered = in_order(records, self._draw)[:MOST_SERVERS]
            places = [f"{host}:{each.port}" for each in ordered if (host := target_host(each))]
        reason = ""
        for place in places:
            try:
                url = f"https://{place}/.well-known/domainkey/{domain}/{selector}"
                reply = await agent.exchange("GET", url, follow=same_host, body_bytes=KEY_BYTES, seconds=HTTP_SECONDS)
            except Unreachable as error:
                reason = str(error)
                continue
            except ExchangeFailed:
                return (), 0
            if reply.status < 500 and reply.status != HTTPStatus.TOO_MANY_REQUESTS:
                return _lines(reply)
            reason = f"{url} answers with {reply.status}"
        if not places:
            return (), 0
        raise TemporaryFailure(f"the key {selector} of {domain} cannot be fetched: {reason}")


def _lines(reply: Reply) -> tuple[tuple[str, ...], float]:
    content_type = (reply.header("content-type") or "").partition(";")[0].strip().lower()
    if reply.status != HTTPStatus.OK or content_type != "text/plain":
        return (), 0
    lines = (line.strip() for line in reply.body.decode("utf-8", "replace").splitlines())
    age = _MAX_AGE.search(reply.header("cache-control") or "")
    return tuple(line for line in lines if line), float(age[1]) if age else 0.0


def private_keys(folder: Path) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Keys that were exchanged by other means: a file ``DOMAIN/SELECTOR.txt`` for each, a tag-list in each line."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for path in sorted(folder.glob("*/*.txt")):
        lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
        key = path.parent.name.lower(), path.name.removesuffix(".txt").lower()
        found[key] = tuple(line for line in lines if line and not line.startswith("#"))
    return found
