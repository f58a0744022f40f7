"""What becomes of a mail that came in: who it is from is proved, what it says is done, or it is refused.

A mail is used where it holds a scheduling message of a method that is taken here, and its author speaks for itself: it
is the attendee of an answer, or the organizer of an invitation. That it is the author is proved by the reply address
that the invitation came with (`Tokens`) - an answer is sent to it, or has it as ORGANIZER - or by its domain
(`Vouching`). Nothing else is believed: not the envelope, not the calendar data. From which domain what is taken is the
same as by iSchedule (`calserver.scheduling.manners`). What is refused is refused in the dialogue, so that an honest
sender hears of it, and is written down.

Everything may come twice: applying a message twice is applying it once (`calserver.itip`).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs
from twisted.logger import Logger

from calserver import calendars, ical, meetings
from calserver.conditions import ConditionFailed
from calserver.config import Calendars, Config, Mail
from calserver.itip import Message, Method
from calserver.scheduling.audit import Audit
from calserver.scheduling.mail.bounces import read_bounce
from calserver.scheduling.mail.fields import clean, domain_of, mail_address
from calserver.scheduling.mail.incoming import Incoming, Part, Unreadable
from calserver.scheduling.mail.mailer import tokens
from calserver.scheduling.mail.outgoing import UNDELIVERABLE
from calserver.scheduling.mail.tokens import Token, Tokens
from calserver.scheduling.mail.vouching import Undecided, Vouching
from calserver.scheduling.manners import Manners, trust
from calserver.store import Busy, Store, Transaction
from ischedule.resolver import Lookup
from ischedule.trust import Trust

log = Logger()

_ANSWERS: Final = frozenset({Method.REPLY, Method.REFRESH, Method.COUNTER})
_LONGEST: Final = 200


@attrs.frozen
class Verdict:
    """What a mail server is told: a code (RFC 5321 section 4.2) and a text that begins with one of RFC 3463."""

    code: int
    text: str


_DONE: Final = Verdict(250, "2.0.0 done")
_IGNORED: Final = Verdict(250, "2.0.0 taken, and there is nothing to do")


class Refused(Exception):
    """A mail is refused."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.verdict = Verdict(code, clean(text, _LONGEST))


@attrs.frozen(kw_only=True)
class Returned:
    """A mail of somebody that came back."""

    uid: str
    """Of the meeting."""
    principal: int
    """The id of who had it sent."""
    invitee: str
    """The normalized address that it was for."""

    def noted(self, txn: Transaction, policy: meetings.Policy) -> bool:
        """Note it in the copy of who had it sent; returns whether there is one."""
        return meetings.returned(txn, policy, self.uid, self.principal, self.invitee, UNDELIVERABLE)


PassOn = Callable[[str, Returned], Awaitable[bool]]
"""Has a node note that a mail came back; returns whether it could be. Raises `Busy` where it has to be tried again."""


@attrs.frozen(kw_only=True)
class Desk:
    """Takes mail.

    Args:
        config: what is taken.
        limits: of calendar data.
        domains: of people here, in lower case.
        tokens: reply addresses.
        vouching: knows whom a mail is from.
        trust: which domains we talk to.
        manners: what is taken from whom.
        store: where meetings are.
        policy: of the site.
        audit: where is written down what became of mail.
        pass_on: tells other nodes of a cluster what came back of the mail of their people.
    """

    config: Mail
    limits: Calendars
    domains: frozenset[str]
    tokens: Tokens
    vouching: Vouching
    trust: Trust
    manners: Manners
    store: Store
    policy: meetings.Policy
    audit: Audit
    pass_on: PassOn | None = None

    @classmethod
    def of(cls, config: Config, store: Store, lookup: Lookup, policy: meetings.Policy, audit: Audit) -> "Desk":
        """That of a configuration.

        Args:
            config: all of it.
            store: where meetings are.
            lookup: answers questions about names.
            policy: of the site, with its routes: what answers by itself does so in the same way.
            audit: where is written down what became of mail.

        Raises:
            ConfigError: the key of reply addresses cannot be used.
        """
        mail, calendar = config.mail, config.calendars
        return cls(
            config=mail,
            limits=calendar,
            domains=frozenset(map(str.lower, (domain_of(mail.address), calendar.domain, *calendar.domains))),
            tokens=tokens(config),
            vouching=Vouching(mail, lookup),
            trust=trust(config.ischedule),
            manners=Manners(config.ischedule),
            store=store,
            policy=policy,
            audit=audit,
        )

    def expects(self, recipient: str) -> bool:
        """Whether mail for an address could be of use: a reply address, or one of a domain of people here."""
        if self.tokens.read(recipient) is not None:
            return True
        return domain_of(recipient) in self.domains

    async def receive(self, sender: str, recipients: Sequence[str], content: bytes) -> list[Verdict]:
        """Take a mail; returns what to say of each recipient, in their order.

        Args:
            sender: of the envelope; empty for notifications.
            recipients: of the envelope, each one that `expects`.
            content: the mail.
        """
        try:
            mail = Incoming.read(content)
            if mail.goes_round:
                raise Refused(554, "5.4.6 it has come through too many servers")
        except Unreadable as error:
            return [self._refused(sender, each, Refused(550, f"5.6.0 {error}")) for each in recipients]
        except Refused as refusal:
            return [self._refused(sender, each, refusal) for each in recipients]
        return [await self._one(sender, each, mail) for each in recipients]

    async def _one(self, sender: str, recipient: str, mail: Incoming) -> Verdict:
        try:
            if mail.media_type == "multipart/report":
                return await self._returned(recipient, mail)
            part = mail.calendar()
            if part is None:
                if mail.is_automatic or not sender:
                    return _IGNORED
                raise Refused(550, "5.6.1 only scheduling messages of calendar programs are read here")
            return await self._message(recipient, mail, part)
        except Unreadable as error:
            return self._refused(sender, recipient, Refused(550, f"5.6.0 {error}"))
        except Refused as refusal:
            return self._refused(sender, recipient, refusal)
        except Undecided as error:
            log.info("mail for {recipient} has to wait: {error}", recipient=clean(recipient, _LONGEST), error=error)
            return Verdict(451, "4.7.5 it is not known at the moment who has sent it")
        except Busy:
            return Verdict(451, "4.3.0 the calendars are busy, or away for a moment")

    # -- scheduling messages

    async def _message(self, recipient: str, mail: Incoming, part: Part) -> Verdict:
        author = mail.author
        message = self._read(part, author, recipient)
        if message.method.value not in self.config.methods:
            raise Refused(550, f"5.6.1 {message.method.value} is not taken by mail here")
        token = self.tokens.read(recipient)
        if message.method in _ANSWERS:
            token = token or self.tokens.read(mail_address(message.organizer or "") or "")
            speakers = message.calendar.attendees
        elif token is None:
            speakers = frozenset(filter(None, (message.organizer,)))
        else:
            raise Refused(550, "5.6.1 this address is for answers")
        if message.originator not in speakers:
            raise Refused(550, f"5.7.1 {author} may speak for nobody else")
        domain = domain_of(author)
        if not self.trust.welcomes(domain) or (message.method in _ANSWERS and not self.manners.replies(domain)):
            raise Refused(550, f"5.7.1 nothing is taken from {domain}")
        proof = await self._proof(mail, author, message, token)
        if proof is None:
            raise Refused(550, f"5.7.1 nothing proves that {author} has sent this")
        status = await self.store.write(lambda txn: self._apply(txn, message, token))
        if not status.startswith(("1.", "2.")):
            raise Refused(550, f"5.6.0 it was not applied: {status}")
        self.audit.note(
            message.method.value,
            domain,
            originator=message.originator,
            uid=message.uid,
            recipients={message.recipients[0]: status},
            by="mail",
            proof=proof,
        )
        return _DONE

    def _read(self, part: Part, author: str, recipient: str) -> Message:
        """The scheduling message in a part (RFC 6047 section 2.4)."""
        try:
            found = Message.received(
                part.text(), f"mailto:{author}", (ical.address(f"mailto:{recipient}"),), calendars.limits(self.limits)
            )
        except (ConditionFailed, ValueError) as error:
            raise Refused(550, f"5.6.0 the calendar data cannot be used: {error}") from None
        method = part.parameter("method").upper()
        if method not in ("", found.method.value):
            raise Refused(550, "5.6.0 the mail and its calendar data have different methods")
        return found

    async def _proof(self, mail: Incoming, author: str, message: Message, token: Token | None) -> str | None:
        """What shows that the author has sent it."""
        if token is not None and self.tokens.proves(token, message.originator, message.uid):
            return "the reply address"
        return await self.vouching.proof(mail, author)

    def _apply(self, txn: Transaction, message: Message, token: Token | None) -> str:
        people = meetings.People(txn, self.policy)
        people.meet((message.originator, *message.recipients))
        if people.whose(message.originator) is not None:
            raise Refused(550, "5.7.1 who has a calendar here uses that, and not mail")
        (recipient,) = message.recipients
        if message.method not in _ANSWERS:
            invitations = self.manners.invitations(txn, domain_of(message.originator), message.originator)
            return meetings.receive(txn, self.policy, message, manner=invitations)[recipient]
        if token is not None:
            return meetings.receive_answer(txn, self.policy, message, token.principal)
        found = people.whose(recipient)
        return "3.7" if found is None else meetings.receive_answer(txn, self.policy, message, found.id)

    # -- mail that came back

    async def _returned(self, recipient: str, mail: Incoming) -> Verdict:
        """A notification about mail of ours: whoever knows the address that the mail came from has got the mail."""
        token, bounce = self.tokens.read(recipient), read_bounce(mail)
        if token is None or bounce is None:
            return _IGNORED
        invitee = ical.address(f"mailto:{bounce.recipient}")
        if not self.tokens.proves(token, invitee, bounce.uid):
            raise Refused(550, "5.7.1 this is about no mail from here")
        noted = await self._noted(Returned(uid=bounce.uid, principal=token.principal, invitee=invitee))
        detail = clean(bounce.detail, _LONGEST)
        self.audit.note("returned", "", uid=bounce.uid, recipients=[invitee], by="mail", detail=detail, noted=noted)
        return _DONE

    async def _noted(self, returned: Returned) -> bool:
        """Note that a mail came back, at the node of who had it sent; returns whether it could be noted."""
        node = None
        if self.pass_on is not None:
            node = await self.store.read(lambda txn: self._node_of(txn, returned.principal))
        if self.pass_on is None or node is None:
            return await self.store.write(lambda txn: returned.noted(txn, self.policy))
        return await self.pass_on(node, returned)

    def _node_of(self, txn: Transaction, principal_id: int) -> str | None:
        who = txn.principals.get(principal_id)
        return None if who is None else meetings.People(txn, self.policy).node_of(who)

    def _refused(self, sender: str, recipient: str, refusal: Refused) -> Verdict:
        reason = refusal.verdict.text
        self.audit.note("refused", "", sender=clean(sender, _LONGEST), recipients=[recipient], by="mail", reason=reason)
        return refusal.verdict
