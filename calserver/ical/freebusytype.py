"""Which kind of busy time a component makes (RFC 4791 section 7.10, RFC 5545 section 3.2.9).

A meeting counts by the answer of whose calendar it is in, too (RFC 5545 section 3.2.12): one that was declined or
delegated takes up no time, one that may be attended is tentative. Without an answer it counts as what it is.
"""

from collections.abc import Container
from typing import Final

from calserver.ical.model import Component, Property
from calserver.ical.value import address

LETTERS: Final = {"BUSY": "B", "BUSY-TENTATIVE": "T", "BUSY-UNAVAILABLE": "U", "FREE": "F"}
"""FBTYPE values to the letters of `Instance.busy`."""
FBTYPES: Final = {letter: fbtype for fbtype, letter in LETTERS.items()}
_ANSWERS: Final = {"DECLINED": "F", "DELEGATED": "F", "TENTATIVE": "T"}
_OUTLOOK: Final = {"FREE": "F", "TENTATIVE": "T", "OOF": "U"}


def letter_of(fbtype: str | None) -> str:
    """The letter of an FBTYPE parameter; what is not known is busy."""
    return LETTERS.get((fbtype or "BUSY").upper(), "B")


def busy_letter(component: Component, own: Container[str] = ()) -> str:
    """The letter of the instances that a component governs: by TRANSP, STATUS and the answer.

    Args:
        component: it.
        own: normalized addresses of whose calendar it is in.
    """
    if component.name != "VEVENT":
        return "F"
    letter, answer = _letter(component), _answer(component, own) if own else "B"
    return answer if answer == "F" or letter == "B" else letter


def counts_by_answer(component: Component) -> bool:
    """Whether `own` matters: some attendee has given an answer by which time counts otherwise."""
    return any(each.name == "ATTENDEE" and _said(each) in _ANSWERS for each in component.properties)


def _letter(component: Component) -> str:
    """By TRANSP and STATUS; Outlook knows one kind more."""
    status = (component.value("STATUS") or "").upper()
    transparency = (component.value("TRANSP") or "").upper()
    if status == "CANCELLED" or transparency == "TRANSPARENT":
        return "F"
    if status == "TENTATIVE":
        return "T"
    outlook = _OUTLOOK.get((component.value("X-MICROSOFT-CDO-BUSYSTATUS") or "").upper(), "B")
    return "B" if outlook == "F" and transparency == "OPAQUE" else outlook


def _answer(component: Component, own: Container[str]) -> str:
    for prop in component.properties:
        if prop.name == "ATTENDEE" and _said(prop) in _ANSWERS and address(prop.value) in own:
            return _ANSWERS[_said(prop)]
    return "B"


def _said(attendee: Property) -> str:
    return (attendee.param("PARTSTAT") or "").upper()
