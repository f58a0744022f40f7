"""Make requests to hosts whose names come from strangers, without being led anywhere.

    agent = GuardedAgent(reactor, resolver)
    reply = await agent.exchange("POST", "https://cal.example.org/ischedule", headers, body, follow=same_host)

The agent resolves names itself, has each address vetted (`Guard`), and connects to what was vetted: a name that
resolves differently a moment later changes nothing. TLS is required, with the name in SNI and in the certificate.
Times and sizes are bounded while they happen, not afterwards. It asks for no content coding and refuses one, so
that nothing inflates what a stranger sent; it keeps no cookies, has no credentials of its own, and knows no proxy.

`GuardedAgent` is an `IAgent` for single requests. `exchange` is what to use: it reads the body, follows redirects -
repeating method and body, as iSchedule wants - and says what went wrong in the types below `ExchangeFailed`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, cast
from urllib.parse import urlsplit

import attrs
from hyperlink import URL
from OpenSSL import SSL
from service_identity import VerificationError
from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS, platformTrust, trustRootFromCertificates
from twisted.python.failure import Failure
from twisted.web._newclient import RequestNotSent, RequestTransmissionFailed, ResponseNeverReceived
from twisted.web.client import URI, Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from ischedule.connection import (
    ExchangeFailed,
    Limits,
    Refused,
    TooLarge,
    TooSlow,
    Unreachable,
    Untrusted,
    Unusable,
    VettedEndpoint,
)
from ischedule.guard import Guard
from ischedule.resolver import IReactor, Lookup
from ischedule.waiting import within

__all__ = [
    "ExchangeFailed",
    "Guard",
    "GuardedAgent",
    "Limits",
    "Refused",
    "Reply",
    "TooLarge",
    "TooSlow",
    "Unreachable",
    "Untrusted",
    "Unusable",
    "anywhere",
    "cause",
    "same_host",
]

Follow = Callable[[URL, URL], bool]
"""Whether a redirect from the first URL to the second is followed."""
REDIRECTS: Final = (301, 302, 307, 308)
PERMANENT: Final = (301, 308)


INTERNET: Final = Guard()
USUAL: Final = Limits()


def anywhere(here: URL, there: URL) -> bool:
    """Follow a redirect to any host that the guard permits."""
    return True


def same_host(here: URL, there: URL) -> bool:
    """Follow a redirect within the host and port only."""
    return (here.host.lower(), here.port) == (there.host.lower(), there.port)


@attrs.frozen(kw_only=True)
class Reply:
    """The answer to a request; `url` is where it came from in the end."""

    status: int
    headers: Headers
    body: bytes
    url: str
    permanent: bool = True
    """Whether all redirects on the way were permanent ones: then `url` may be remembered."""

    def header(self, name: str) -> str | None:
        """The first value of a field."""
        values = self.headers.getRawHeaders(name)
        return values[0] if values else None


@implementer(IAgent)
class GuardedAgent:
    """Makes requests over vetted connections, which are kept open for a while.

    Args:
        reactor: sockets and time.
        lookup: resolves the names.
        guard: vets addresses and ports.
        limits: times and sizes.
        trust: certificates of the authorities that are believed; those of the platform unless given.
        plain: allow ``http``.
    """

    def __init__(
        self,
        reactor: IReactor,
        lookup: Lookup,
        *,
        guard: Guard = INTERNET,
        limits: Limits = USUAL,
        trust: Sequence[Certificate] = (),
        plain: bool = False,
    ) -> None:
        self.limits = limits
        self._reactor = reactor
        self._schemes = ("https", "http") if plain else ("https",)
        self._pool = HTTPConnectionPool(reactor)
        self._pool.retryAutomatically = False
        self._pool.maxPersistentPerHost = limits.connections
        self._pool.cachedConnectionTimeout = limits.idle_seconds  # type: ignore[assignment] # any number of seconds
        self._agent = Agent.usingEndpointFactory(reactor, _Endpoints(reactor, lookup, guard, limits, trust), self._pool)
        no_cookies = IndexableCookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._client = HTTPClient(self, no_cookies)

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: IBodyProducer | None = None
    ) -> Deferred[IResponse]:
        """Make one request (`IAgent`): the answer with its body still to be read, no redirects."""
        return Deferred.fromCoroutine(self._request(method, uri, headers, bodyProducer))

    async def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str | Sequence[str]] | None = None,
        body: bytes | None = None,
        *,
        follow: Follow | None = None,
        body_bytes: int | None = None,
        seconds: float | None = None,
    ) -> Reply:
        """Make a request, and read the answer whole.

        A request must be one that may arrive twice, as those of iSchedule may: it is repeated at the target of a
        redirect, and once where a connection that had been kept open turns out to be closed.

        Args:
            method: of HTTP.
            url: absolute.
            headers: fields of the request.
            body: the body of the request.
            follow: says which redirects are followed; without it, they are answers like others.
            body_bytes: most bytes of the body of the answer, if not those of the limits.
            seconds: for everything, if not those of the limits.

        Raises:
            ExchangeFailed: there was no answer, or none that may be used.
        """
        most = self.limits.body_bytes if body_bytes is None else body_bytes
        total = self.limits.total_seconds if seconds is None else seconds
        fields = Headers(
            {name: [value] if isinstance(value, str) else list(value) for name, value in (headers or {}).items()}
        )
        try:
            return await within(self._reactor, total, self._follow(method, url, fields, body, follow, most))
        except TimeoutError:
            raise TooSlow(f"{url} has not answered within {total:g} s") from None

    async def close(self) -> None:
        """Close the connections that are kept open."""
        await self._pool.closeCachedConnections()

    async def _request(
        self, method: bytes, uri: bytes, headers: Headers | None, producer: IBodyProducer | None
    ) -> IResponse:
        self._check(uri)
        fields = headers.copy() if headers else Headers()
        fields.setRawHeaders(b"accept-encoding", [b"identity"])
        response: IResponse = await self._agent.request(method, uri, fields, producer)
        codings = response.headers.getRawHeaders(b"content-encoding", [])
        if any(each.strip().lower() not in (b"", b"identity") for each in codings):
            response.deliverBody(_Body(0).cut())
            raise Unusable("the answer has a content coding that was not asked for")
        return response

    def _check(self, uri: bytes) -> None:
        try:
            parts = urlsplit(uri.decode("ascii"))
            valid = bool(parts.hostname) and parts.port != 0
        except ValueError:
            valid = False
        if not valid:
            raise Refused("the URL is none")
        if parts.scheme.lower() not in self._schemes:
            raise Refused(f"requests go to {' and '.join(self._schemes)} only, not to {parts.scheme}")
        if parts.username is not None or parts.password is not None:
            raise Refused("the URL has a user name in it")

    async def _follow(
        self, method: str, url: str, headers: Headers, body: bytes | None, follow: Follow | None, most: int
    ) -> Reply:
        permanent = True
        for _ in range(self.limits.redirects + 1):
            reply = await self._patiently(method, url, headers, body, most)
            if follow is None or reply.status not in REDIRECTS:
                return attrs.evolve(reply, permanent=permanent)
            permanent = permanent and reply.status in PERMANENT
            url = _target(reply, follow)
        raise Refused(f"{url} is the target of too many redirects")

    async def _patiently(self, method: str, url: str, headers: Headers, body: bytes | None, most: int) -> Reply:
        """Once more where a connection was closed before anything was answered."""
        try:
            return await self._once(method, url, headers, body, most)
        except _Dropped:
            return await self._once(method, url, headers, body, most)

    async def _once(self, method: str, url: str, headers: Headers, body: bytes | None, most: int) -> Reply:
        try:
            response = await self._client.request(
                method,
                url,
                headers=headers,
                data=body,
                allow_redirects=False,
                unbuffered=True,
                reactor=cast(Any, self._reactor),
            )
            reader = _Body(most)
            response.deliverBody(reader)
            content = await reader.content
        except Exception as error:
            if any(isinstance(each, CancelledError) for each in _beneath(error)):
                raise CancelledError from None
            if found := cause(url, error):
                raise found from None
            raise
        return Reply(status=response.code, headers=response.headers, body=content, url=url)


def _target(reply: Reply, follow: Follow) -> str:
    """Where a redirect leads, if it is followed (RFC 9110 section 10.2.2)."""
    locations = reply.headers.getRawHeaders("location", [])
    try:
        if len(locations) != 1:
            raise ValueError
        here = URL.from_text(reply.url)
        there = here.click(locations[0]).replace(fragment="")
        allowed = there.scheme == "https" or here.scheme == there.scheme
    except ValueError:
        raise Unusable(f"{reply.url} redirects to nowhere") from None
    if not allowed or there.userinfo or not follow(here, there):
        raise Refused(f"{reply.url} redirects to {there.to_text()}, where we do not go")
    return there.to_uri().to_text()


class _Dropped(Unreachable):
    """A connection was closed before anything was answered."""


def cause(url: str, error: Exception) -> ExchangeFailed | None:
    """What an exception of Twisted's client means, from what lies beneath it; None: a bug of ours."""
    every = tuple(_beneath(error))
    place = urlsplit(url).netloc
    for each in every:
        if isinstance(each, ExchangeFailed):
            return each
        if isinstance(each, VerificationError) or (isinstance(each, SSL.Error) and "certificate" in str(each)):
            return Untrusted(f"{place} has no certificate that is good for it: {_reason(each)}")
        if isinstance(each, SSL.Error):
            return Unreachable(f"{place} does not speak TLS with us: {_reason(each)}")
    for each in every:
        if isinstance(each, ConnectionDone | ConnectionLost | RequestNotSent):
            return (Unreachable if _answered(error) else _Dropped)(f"{place} closed the connection")
        if isinstance(each, OSError):
            return Unreachable(f"{place}: {each}")
    if hasattr(error, "reasons"):
        return Unusable(f"{place} does not answer in HTTP: {_reason(every[-1])}")
    return None


def _beneath(error: BaseException) -> Iterator[BaseException]:
    """The exception and those that Twisted has wrapped into it."""
    yield error
    for each in getattr(error, "reasons", ()):
        yield from _beneath(each.value)


def _answered(error: BaseException) -> bool:
    """Whether an answer had begun."""
    return not isinstance(error, ResponseNeverReceived | RequestTransmissionFailed | RequestNotSent)


def _reason(error: BaseException) -> str:
    """What it says, in a line."""
    if isinstance(error, VerificationError):
        return ", ".join(sorted({type(each).__name__ for each in error.errors})) or "another name"
    if isinstance(error, SSL.Error) and error.args and error.args[0]:
        return ", ".join(str(each[-1]) for each in error.args[0])
    return str(error) or type(error).__name__


class _Body(Protocol):
    """Reads the body of an answer, up to a number of bytes; who stops waiting for it closes the connection."""

    def __init__(self, most: int) -> None:
        self.content: Deferred[bytes] = Deferred(lambda _: self._abort())
        self._pieces: list[bytes] = []
        self._left = most

    def cut(self) -> "_Body":
        """Read nothing of it: the connection is closed."""
        self.content.addErrback(lambda _: None)
        self.content.cancel()
        return self

    def connectionMade(self) -> None:
        if self.content.called:
            self._abort()

    def dataReceived(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left >= 0:
            self._pieces.append(data)
        elif not self.content.called:
            self.content.errback(TooLarge("the answer is larger than it may be"))
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.content.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.content.callback(b"".join(self._pieces))
        else:
            self.content.errback(reason)

    def _abort(self) -> None:
        if self.transport:
            self.transport.loseConnection()  # which is given a few seconds only


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """How Twisted's agent connects: `VettedEndpoint`, with the name in TLS."""

    def __init__(
        self, reactor: IReactor, lookup: Lookup, guard: Guard, limits: Limits, trust: Sequence[Certificate]
    ) -> None:
        self._reactor = reactor
        self._lookup = lookup
        self._guard = guard
        self._limits = limits
        self._trust = trustRootFromCertificates(trust) if trust else platformTrust()
        self._tls = lru_cache(maxsize=256)(self._tls_for)  # making one reads the certificates of all authorities

    def endpointForURI(self, uri: URI) -> VettedEndpoint:
        host = uri.host.decode("ascii")
        return VettedEndpoint(
            reactor=self._reactor,
            lookup=self._lookup,
            guard=self._guard,
            limits=self._limits,
            host=host,
            port=uri.port,
            tls=self._tls(host) if uri.scheme == b"https" else None,
        )

    def _tls_for(self, host: str) -> IOpenSSLClientConnectionCreator:
        return optionsForClientTLS(host, trustRoot=self._trust)
