"""Where mail servers hand mail over: LMTP (RFC 2033), or SMTP with one recipient at a time (RFC 5321).

The difference is that LMTP has an answer for each recipient. What comes in is bounded while it does; a command or line
beyond the bounds ends the connection, since what follows could be taken for something else.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ClassVar, Final

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.mail.interfaces import IMessageSMTP
from twisted.mail.smtp import SMTP, Address, SMTPBadRcpt, SMTPServerError, User
from twisted.python.failure import Failure
from zope.interface import implementer

from calserver.scheduling.mail.desk import Desk, Verdict

log = Logger()

MOST_RECIPIENTS: Final = 100
MOST_CONNECTIONS: Final = 50
IDLE_SECONDS: Final = 300
_FAILED: Final = Verdict(451, "4.3.0 something went wrong here")
_TOO_LARGE: Final = "5.3.4 it is too large"


class _Mail:
    """A mail on its way in, for all of its recipients."""

    def __init__(self, most: int) -> None:
        self.recipients: list[str] = []
        self._lines: list[bytes] = []
        self._left = most
        self._verdicts: list[Deferred[Verdict]] = []

    def take(self, line: bytes) -> None:
        """The next line; those beyond the bound are thrown away."""
        self._left -= len(line) + 2
        if self._left >= 0:
            self._lines.append(line)
        else:
            self._lines.clear()

    @property
    def content(self) -> bytes | None:
        """All of it; None where it was too large."""
        return b"\r\n".join((*self._lines, b"")) if self._left >= 0 else None

    def verdict(self) -> "Deferred[Verdict]":
        """What will be said of the next recipient."""
        waiting: Deferred[Verdict] = Deferred()
        self._verdicts.append(waiting)
        return waiting

    @property
    def is_complete(self) -> bool:
        """Whether each recipient waits for what is said of it."""
        return len(self._verdicts) == len(self.recipients)

    def decided(self, verdicts: Sequence[Verdict]) -> None:
        """Tell those who wait."""
        for waiting, verdict in zip(self._verdicts, verdicts, strict=True):
            waiting.callback(verdict)


@implementer(IMessageSMTP)
class _ForOne:
    """A mail as Twisted hands it over: once for each recipient; the first one takes the lines."""

    def __init__(self, mail: _Mail, first: bool, decide: Callable[[_Mail], None]) -> None:
        self._mail = mail
        self._first = first
        self._decide = decide

    def lineReceived(self, line: bytes) -> None:
        """One line."""
        if self._first:
            self._mail.take(line)

    def eomReceived(self) -> "Deferred[Verdict]":
        """The end; the mail is looked at when all recipients are there."""
        waiting = self._mail.verdict()
        if self._mail.is_complete:
            self._decide(self._mail)
        return waiting

    def connectionLost(self) -> None:
        """It will not come to an end."""


class Lmtp(SMTP):
    """A connection of a mail server that speaks LMTP."""

    noisy = False
    timeout = IDLE_SECONDS
    most_recipients = MOST_RECIPIENTS
    greets_with: ClassVar = frozenset({"LHLO"})
    transport: Any

    def __init__(self, desk: Desk, name: str, reception: "Reception") -> None:
        super().__init__()
        self.host = name.encode("idna")
        self._desk = desk
        self._reception = reception
        self._sender = ""
        self._mail = _Mail(0)

    def greeting(self) -> bytes:
        """The first line."""
        return b"%s calendar %s" % (self.host, b"LMTP" if "LHLO" in self.greets_with else b"ESMTP")

    def lookupMethod(self, command: bytes) -> Any:
        """The method of a command; the greeting of the other protocol is unknown."""
        name = command.decode("ascii", "replace").upper()
        if name in ("HELO", "EHLO", "LHLO"):
            return self.do_LHLO if name in self.greets_with else None
        return super().lookupMethod(name)

    def do_LHLO(self, rest: bytes) -> None:
        """Greet, and say what is understood."""
        self._helo, self._from, self._to = (rest, b""), None, []
        size = str(self._desk.config.message_bytes).encode("ascii")
        self.sendCode(250, self.host + b"\nSIZE " + size + b"\n8BITMIME\nENHANCEDSTATUSCODES")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over; a mail that was not complete is forgotten."""
        self._reception.lost()
        super().connectionLost(reason)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Such a line has no end that could be told from its middle."""
        self.sendCode(500, b"5.5.2 a line is too long")
        self.transport.loseConnection()

    def validateFrom(self, helo: Any, origin: Address) -> Address:
        """A mail begins; anybody may send it, and that proves nothing."""
        self._sender = bytes(origin).decode("ascii", "replace")
        self._mail = _Mail(self._desk.config.message_bytes)
        return origin

    def validateTo(self, user: User) -> Callable[[], _ForOne]:
        """A recipient."""
        recipient = bytes(user.dest).decode("ascii", "replace")
        if len(self._to) >= self.most_recipients:
            raise SMTPServerError(452, "4.5.3 no more recipients at a time")
        if not self._desk.expects(recipient):
            raise SMTPBadRcpt(user, 550, resp="5.1.1 there is nobody of this address here")
        return lambda: self._for_one(recipient)

    def _for_one(self, recipient: str) -> _ForOne:
        self._mail.recipients.append(recipient)
        return _ForOne(
            self._mail, len(self._mail.recipients) == 1, lambda mail: self._reception.run(self._decide(mail))
        )

    def receivedHeader(self, helo: Any, origin: Any, recipients: Any) -> bytes:
        """None: whose field that were would be asked later (`calserver.scheduling.mail.results`)."""
        return b""

    async def _decide(self, mail: _Mail) -> None:
        content = mail.content
        count = len(mail.recipients)
        if content is None:
            mail.decided([Verdict(552, _TOO_LARGE)] * count)
            return
        self.setTimeout(None)
        try:
            verdicts = await self._desk.receive(self._sender, mail.recipients, content)
        except Exception:  # noqa: BLE001 - a mail that makes us fail is kept by the mail server, and tried again
            log.failure("a mail could not be processed")
            verdicts = [_FAILED] * count
        self.setTimeout(self.timeout)
        mail.decided(verdicts)

    def _messageHandled(self, resultList: Sequence[tuple[bool, Verdict]]) -> None:
        """Answer for each recipient."""
        for _, verdict in resultList:
            self.sendCode(verdict.code, verdict.text.encode("ascii", "replace"))


class Smtp(Lmtp):
    """A connection of a mail server that speaks SMTP: there is one answer, and so one recipient at a time."""

    greets_with: ClassVar = frozenset({"EHLO", "HELO"})
    most_recipients = 1


class Reception(ServerFactory):
    """Accepts connections of mail servers.

    Args:
        name: what we are called in greetings.
        protocol: `Lmtp` or `Smtp`.
        desk: takes the mail; it may be given later, before the first connection comes.
    """

    noisy = False

    def __init__(self, name: str, protocol: type[Lmtp] = Lmtp, desk: Desk | None = None) -> None:
        self.desk = desk
        self.ready: Callable[[], bool] = lambda: True
        """Whether it is known who there is; until then mail servers have to come again."""
        self._name = name
        self._kind = protocol
        self._open = 0
        self._running: set[Deferred[None]] = set()

    def buildProtocol(self, addr: Any) -> Any:
        """A connection, or none where there are too many already, or nobody could be found yet."""
        if self.desk is None or not self.ready() or self._open >= MOST_CONNECTIONS:
            return None
        self._open += 1
        return self._kind(self.desk, self._name, self)

    def lost(self) -> None:
        """A connection is over."""
        self._open -= 1

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that `stop` waits for."""
        running = Deferred.fromCoroutine(work)
        self._running.add(running)
        running.addBoth(lambda _: self._running.discard(running))

    async def stop(self) -> None:
        """Wait for mails that are looked at."""
        await DeferredList(list(self._running))
