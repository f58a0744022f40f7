"""Which kind of busy time a component makes (RFC 4791 section 7.10, RFC 5545 section 3.2.9)."""

from typing import Final

from calserver.ical.model import Component

LETTERS: Final = {"BUSY": "B", "BUSY-TENTATIVE": "T", "BUSY-UNAVAILABLE": "U", "FREE": "F"}
"""FBTYPE values to the letters of `Instance.busy`."""
FBTYPES: Final = {letter: fbtype for fbtype, letter in LETTERS.items()}
_OUTLOOK: Final = {"FREE": "F", "TENTATIVE": "T", "OOF": "U"}


def letter_of(fbtype: str | None) -> str:
    """The letter of an FBTYPE parameter; what is not known is busy."""
    return LETTERS.get((fbtype or "BUSY").upper(), "B")


def busy_letter(component: Component) -> str:
    """The letter of the instances that a component governs: by TRANSP and STATUS; Outlook knows one kind more."""
    if component.name != "VEVENT":
        return "F"
    status = (component.value("STATUS") or "").upper()
    transparency = (component.value("TRANSP") or "").upper()
    if status == "CANCELLED" or transparency == "TRANSPARENT":
        return "F"
    if status == "TENTATIVE":
        return "T"
    outlook = _OUTLOOK.get((component.value("X-MICROSOFT-CDO-BUSYSTATUS") or "").upper(), "B")
    return "B" if outlook == "F" and transparency == "OPAQUE" else outlook
