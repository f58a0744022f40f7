"""Examples of scheduling that are requests and answers: RFC 6638 appendix B.5 and B.6, RFC 5546 section 4.3."""

from pathlib import Path

import pytest
from office import Office
from office_transcripts import play

TRANSCRIPTS = sorted((Path(__file__).parent.parent / "data" / "requests").glob("*.txt"))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_the_server_answers_as_the_transcript_says(office: Office, path: Path) -> None:
    play(office, path)


def test_there_are_transcripts_of_requests() -> None:
    assert TRANSCRIPTS
