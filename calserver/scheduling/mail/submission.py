"""Handing mail over to a mail server (RFC 6409): one connection for a batch, TLS and login as configured.

What the server refuses for good (5yz) is told apart from what may go through later (4yz), for each mail. Whatever
happens to the connection itself - no TLS, a wrong certificate, a refused login - is a matter of the configuration or of
the network and not of the mail: all that was not handed over yet is to be tried again.
"""

import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import attrs
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.mail.smtp import ESMTPClient, LOGINAuthenticator, PLAINAuthenticator
from twisted.python.failure import Failure

from calserver.config import Config, ConfigError
from calserver.scheduling.mail.compose import Composed
from calserver.scheduling.mail.fields import clean, domain_of
from calserver.scheduling.mail.outgoing import SENT, UNDELIVERABLE, Outcome
from ischedule.waiting import within

_LOOPBACK: Final = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@attrs.frozen(kw_only=True)
class Server:
    """A mail server, as ``[mail]`` describes it."""

    host: str
    port: int
    security: str
    identity: str
    """How we call ourselves."""
    user: str
    password: bytes = attrs.field(repr=False)
    tls: IOpenSSLClientConnectionCreator | None = attrs.field(repr=False)
    timeout_seconds: float

    @classmethod
    def of(cls, config: Config) -> "Server":
        """That of a configuration.

        Raises:
            ConfigError: a file cannot be read, or the password would go over the network without TLS.
        """
        mail = config.mail
        if mail.user and not mail.password_file:
            raise ConfigError("mail.user: it needs password_file")
        if mail.security == "none" and not _LOOPBACK.fullmatch(mail.server):
            raise ConfigError('mail.security: "none" is for a mail server on this machine only')
        password = b""
        if mail.user:
            password = _content(config.path(mail.password_file), "mail.password_file").partition(b"\n")[0].strip(b"\r")
        return cls(
            host=mail.server,
            port=mail.port,
            security=mail.security,
            identity=domain_of(mail.address),
            user=mail.user,
            password=password,
            tls=None if mail.security == "none" else _tls(config),
            timeout_seconds=mail.timeout_seconds,
        )


def _tls(config: Config) -> IOpenSSLClientConnectionCreator:
    trusted = None
    if config.mail.authorities_file:
        found = _CERTIFICATE.findall(_content(config.path(config.mail.authorities_file), "mail.authorities_file"))
        if not found:
            raise ConfigError("mail.authorities_file: there is no certificate in it")
        trusted = trustRootFromCertificates([Certificate.loadPEM(each) for each in found])
    return optionsForClientTLS(config.mail.server, trusted)


def _content(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{option}: {error}") from None


@attrs.define(kw_only=True)
class Steps:
    """What was done, for people: what `calserver mail test` prints."""

    lines: list[str] = attrs.field(factory=list)

    def note(self, line: str) -> None:
        """Add a step."""
        self.lines.append(clean(line, 300))


async def submit(server: Server, mails: Sequence[Composed], reactor: Any, steps: Steps | None = None) -> list[Outcome]:
    """Hand mails over, one after the other on one connection.

    Returns:
        What became of each, in their order. Nothing is raised for what happens on the way.
    """
    session = _Session(server, mails, steps or Steps(), reactor)
    try:
        await connectProtocol(_endpoint(server, reactor), session)
        await within(reactor, server.timeout_seconds * (len(mails) + 3), session.until_closed())
    except (OSError, ConnectError, TimeoutError) as error:  # DNS errors are OSErrors
        session.problem = session.problem or str(error) or type(error).__name__
        session.abandon()
    missing = Outcome(status=None, detail=clean(f"{server.host}: {session.problem or 'the connection was lost'}", 300))
    return [*session.outcomes, *[missing] * (len(mails) - len(session.outcomes))]


def _endpoint(server: Server, reactor: Any) -> IStreamClientEndpoint:
    plain = HostnameEndpoint(reactor, server.host.encode("idna"), server.port, timeout=server.timeout_seconds)
    return wrapClientTLS(server.tls, plain) if server.security == "tls" and server.tls is not None else plain


class _Session(ESMTPClient):
    """One connection; Twisted's client asks for the next mail until there is none."""

    debug = False  # it would keep the password
    transport: Any

    def __init__(self, server: Server, mails: Sequence[Composed], steps: Steps, reactor: Any) -> None:
        context = server.tls if server.security == "starttls" else None
        super().__init__(server.password, context, identity=server.identity)
        self.requireAuthentication = bool(server.user)
        self.requireTransportSecurity = server.security != "none"
        self.outcomes: list[Outcome] = []
        self.problem = ""
        self._server = server
        self._mails = mails
        self._steps = steps
        self._reactor = reactor
        self._closed: Deferred[None] = Deferred()
        if server.user:
            user = server.user.encode()
            self.registerAuthenticator(PLAINAuthenticator(user))
            self.registerAuthenticator(LOGINAuthenticator(user))

    async def until_closed(self) -> None:
        """Wait for the end of the connection."""
        await self._closed

    def abandon(self) -> None:
        """Close the connection at once, where there is one."""
        if self.transport is not None:
            self.transport.abortConnection()

    # -- what happens to the connection

    def connectionMade(self) -> None:
        """The connection stands; with implicit TLS, the handshake comes with the greeting."""
        self._steps.note(f"connected to {self._server.host} port {self._server.port}")
        super().connectionMade()
        self.setTimeout(self._server.timeout_seconds)

    def callLater(self, period: float, func: Any) -> Any:
        """Timers of the timeout."""
        return self._reactor.callLater(period, func)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over, in whichever way."""
        super().connectionLost(reason)
        if len(self.outcomes) < len(self._mails) and not self.problem:
            self.problem = _reason(reason)
        if not self._closed.called:
            self._closed.callback(None)

    def sendError(self, exc: Exception) -> None:
        """Something that concerns the connection has failed."""
        self.problem = self.problem or _said(exc)
        super().sendError(exc)

    def authenticate(self, code: int, resp: bytes, items: Any) -> None:
        """Log in; TLS stands, where it is wanted."""
        if self._tlsMode:
            version = self.transport.getHandle().get_protocol_version_name()
            self._steps.note(f"{version}, and the certificate is one of {self._server.host}")
        super().authenticate(code, resp, items)

    # -- one mail after the other

    def getMailFrom(self) -> bytes | None:
        """The sender of the next mail; None where there is none left."""
        at = len(self.outcomes)
        if at == 0 and self._server.user:
            self._steps.note(f"logged in as {self._server.user}")
        return self._mails[at].sender.encode("ascii") if at < len(self._mails) else None

    def getMailTo(self) -> list[bytes]:
        """Its recipient."""
        return [self._mails[len(self.outcomes)].recipient.encode("ascii")]

    def getMailData(self) -> BytesIO:
        """Its content, ready for the wire."""
        content = self._mails[len(self.outcomes)].content
        return BytesIO((b"." if content.startswith(b".") else b"") + content.replace(b"\r\n.", b"\r\n.."))

    def transformChunk(self, chunk: bytes) -> bytes:
        """Nothing is left to be done: Twisted's own way misses dots at the beginning of a chunk."""
        self.resetTimeout()
        return chunk

    def sentMail(self, code: int, resp: Any, numOk: int, addresses: Any, log: Any) -> None:
        """The server has decided about a mail."""
        if addresses and not numOk:
            _, code, resp = addresses[0]
        said = resp.decode("utf-8", "replace") if isinstance(resp, bytes) else str(resp)
        detail = clean(f"{self._server.host}: {code} {said}", 300)
        status = SENT if 200 <= code < 300 else UNDELIVERABLE if 500 <= code < 600 else None
        self._steps.note(detail)
        self.outcomes.append(Outcome(status=status, detail=detail))


def _said(error: Exception) -> str:
    said = getattr(error, "resp", b"")
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    code = getattr(error, "code", -1)
    return clean(f"{code} {text}" if isinstance(code, int) and code > 0 else text or str(error), 300)


def _reason(reason: Failure) -> str:
    """Why a connection was lost; of TLS errors, what OpenSSL says in words."""
    error = reason.value
    if isinstance(error, VerificationError):
        return "TLS: the certificate is not one of this server"
    if isinstance(error, SSL.Error):
        return "TLS: " + ", ".join(str(each[-1]) for each in error.args[0]) if error.args else "TLS failed"
    return str(error)
