"""The words of a mail: its subject, and its text, plain and as HTML that holds nothing but escaped text."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Final

import attrs

from calserver.itip import Method
from calserver.scheduling.mail.essentials import Essentials
from calserver.scheduling.mail.fields import clean

_SUBJECTS: Final[Mapping[str, str]] = {
    "REQUEST": "Invitation",
    "changed": "Changed",
    "ADD": "Dates added",
    "CANCEL": "Canceled",
    "REFRESH": "Asked for again",
    "COUNTER": "Other time proposed",
    "DECLINECOUNTER": "Proposal declined",
    "PUBLISH": "Published",
    "ACCEPTED": "Accepted",
    "DECLINED": "Declined",
    "TENTATIVE": "Tentatively accepted",
    "DELEGATED": "Delegated",
    "REPLY": "Answer",
}
_SENTENCES: Final[Mapping[str, str]] = {
    "REQUEST": "{who} invites you.",
    "changed": "{who} has changed something that you are invited to.",
    "ADD": "{who} has added dates to something that you are invited to.",
    "CANCEL": "{who} has called this off, or does not invite you any more.",
    "REFRESH": "{who} asks to be sent this again.",
    "COUNTER": "{who} proposes another time.",
    "DECLINECOUNTER": "{who} does not take up the other time.",
    "PUBLISH": "{who} publishes this.",
    "ACCEPTED": "{who} has accepted.",
    "DECLINED": "{who} has declined.",
    "TENTATIVE": "{who} has accepted tentatively.",
    "DELEGATED": "{who} sends somebody else.",
    "REPLY": "{who} has answered.",
}
_FEET: Final[Mapping[str, str]] = {
    "REQUEST": "To answer, use what your mail program offers, or open the attached file with your calendar program. "
    "Only answers of calendar programs are read at the address that this mail comes from; to write to a person, use "
    "the address that stands beside the name.",
    "CANCEL": "Your calendar takes it out when you open the attached file with it.",
}


@attrs.frozen(kw_only=True)
class Occasion:
    """What a mail is about.

    Attributes:
        method: of the message.
        answer: with REPLY, the participation status.
        who: the name or address of whom it is from.
        now: what it says.
        before: what was said before; None where that is not known.
        reason: why it is sent, in words; empty where that is not known.
        comment: what somebody has to say to it.
    """

    method: Method
    answer: str
    who: str
    now: Essentials
    before: Essentials | None
    reason: str
    comment: str

    @property
    def kind(self) -> str:
        """By which words are chosen."""
        if self.method is Method.REPLY:
            return self.answer if self.answer in _SUBJECTS else "REPLY"
        return "changed" if self.method is Method.REQUEST and self._is_change else self.method.value

    @property
    def _is_change(self) -> bool:
        return (
            self.before is not None or self.reason.startswith("changed") or (not self.reason and self.now.sequence > 0)
        )


def subject(occasion: Occasion) -> str:
    """The subject of the mail."""
    return f"{_SUBJECTS[occasion.kind]}: {occasion.now.title}"


def _lead(occasion: Occasion) -> str:
    return _SENTENCES[occasion.kind].format(who=occasion.who)


def _foot(occasion: Occasion) -> str:
    return _FEET.get("REQUEST" if occasion.method is Method.ADD else occasion.method.value, "")


def _facts(occasion: Occasion) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is to be said, each with a name and one or more lines."""
    now = occasion.now
    was = {} if occasion.before is None else dict(now.differences(occasion.before))

    def lines(name: str, *texts: str) -> tuple[str, tuple[str, ...]]:
        before = (f"(before: {was[name]})",) if name in was else ()
        return name, (*filter(None, texts), *before)

    yield lines("Title", now.title)
    yield lines("When", *now.dates)
    yield lines("Repeats", now.repeats)
    yield lines("Where", now.place)
    yield "Organizer", tuple(filter(None, (now.organizer,)))
    if occasion.method is not Method.REPLY:
        yield "Who", now.people
    if occasion.reason and not was and occasion.kind in ("changed", "CANCEL"):
        yield "Why", (clean(occasion.reason, 300),)
    yield "Comment", tuple(occasion.comment.splitlines())


def plain(occasion: Occasion) -> str:
    """The text of the mail."""
    parts = [_lead(occasion), ""]
    for name, lines in _facts(occasion):
        parts.extend(f"{name + ':' if at == 0 else '':<11}{line}" for at, line in enumerate(lines))
    if occasion.now.description and occasion.method is not Method.REPLY:
        parts += ["", occasion.now.description]
    if foot := _foot(occasion):
        parts += ["", "-- ", foot]
    return "\n".join(parts) + "\n"


def html(occasion: Occasion) -> str:
    """The same as HTML, without a link, a picture or a script."""
    rows = "".join(
        f'<tr><th style="text-align:left;vertical-align:top;padding:2px 12px 2px 0">{escape(name)}</th>'
        f'<td style="padding:2px 0">{"<br>".join(map(escape, lines))}</td></tr>\n'
        for name, lines in _facts(occasion)
        if lines
    )
    description = ""
    if occasion.now.description and occasion.method is not Method.REPLY:
        description = f"<p>{'<br>'.join(map(escape, occasion.now.description.splitlines()))}</p>\n"
    foot = _foot(occasion)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(subject(occasion))}</title></head>\n"
        '<body style="font-family:sans-serif">\n'
        f"<p>{escape(_lead(occasion))}</p>\n<table>\n{rows}</table>\n{description}"
        f"{f'<p><small>{escape(foot)}</small></p>' if foot else ''}\n</body></html>\n"
    )
