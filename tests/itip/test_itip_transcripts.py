"""Dialogues between organizers and attendees: the examples of RFC 6638 appendix B and RFC 5546 section 4, and more."""

from pathlib import Path

import pytest
from itip_dialogue import play

TRANSCRIPTS = sorted((Path(__file__).parent.parent / "data" / "itip").glob("*.txt"))


def test_there_are_transcripts() -> None:
    assert TRANSCRIPTS


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_everybody_says_what_the_transcript_says(path: Path) -> None:
    play(path)
