"""Invitations by mail (iMIP, RFC 6047): the way for those whose domain has no other.

**Out.** A `Mailer` takes letters and says what became of each:

    mailer = Mailer.of(config, keys, reactor)       # where config.mail.address is set; ConfigError if it cannot be used
    outcomes = await mailer.deliver([Outgoing(principal=17, originator="mailto:ann@example.org",
                                              recipient="mailto:bo@other.example", text=b"BEGIN:VCALENDAR...")])

An `Outgoing` is one message for one recipient: the id of the principal whose message it is, from whom and for whom,
the text with its METHOD, and - to say what has changed - the text that was sent before, or a reason in words. An
`Outcome` has the delivery status (RFC 6638 section 3.2.9): ``1.1``, the mail server has taken it; ``5.1``, it cannot be
delivered; None (`Outcome.again`): try later. `Mailer.deliver` raises nothing for what is wrong with a message or on the
way. Letters go out one after the other, up to 50 on one connection. A repetition has the same Message-ID.

`compose` writes the mail, `fields` its header so that nobody can add to it, `essentials`, `moments` and `wording` what
people read; these are values. `signing` signs, `submission` hands over.

**Back.** Mail comes from the one address that the site has for this, and answers go to an address made for the
principal, the invitee and the UID (`tokens`): who answers there has got the invitation. That address is also the sender
of the envelope, so mail that could not be delivered comes back to it (`bounces`).

**In.** `Reception` is where mail servers hand mail over by LMTP or SMTP. `incoming` reads it within bounds; `desk`
decides: the author must be whom the message is from, and that must be proved, by the address or by its domain
(`vouching`, with `results` of a trusted mail server). What is taken goes through `calserver.meetings` like all other
messages, in one transaction, and mail that comes twice does nothing twice.

    reception = Reception("cal.example.org", Lmtp)
    reception.desk = Desk.of(config, store, resolver, policy, audit)
"""

from calserver.scheduling.mail.desk import Desk, Returned, Verdict
from calserver.scheduling.mail.mailer import Mailer, tokens
from calserver.scheduling.mail.outgoing import SENT, UNDELIVERABLE, Outcome, Outgoing
from calserver.scheduling.mail.reception import Lmtp, Reception, Smtp
from calserver.scheduling.mail.rehearsal import Rehearsal, rehearse
from calserver.scheduling.mail.tokens import Token, Tokens
from calserver.scheduling.mail.vouching import Vouching

__all__ = [
    "SENT",
    "UNDELIVERABLE",
    "Desk",
    "Lmtp",
    "Mailer",
    "Outcome",
    "Outgoing",
    "Reception",
    "Rehearsal",
    "Returned",
    "Smtp",
    "Token",
    "Tokens",
    "Verdict",
    "Vouching",
    "rehearse",
    "tokens",
]
