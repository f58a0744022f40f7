"""What several nodes know of one meeting becomes one explanation."""

from datetime import UTC, datetime
from typing import Any

from calserver.admin.schedule import Explanation, Participant, packed, together, unpacked
from calserver.store import Entry

ANN, BOB = "mailto:ann@example.org", "mailto:bob@example.org"


def somebody(address: str, role: str, **known: Any) -> Participant:
    facts = {"principal": address[7:10], "agent": "", "status": "", "answer": "", "own_answer": "", "copy": ""}
    return Participant(address=address, role=role, **{**facts, "sequence": None, **known})


def sent(hour: int, method: str, originator: str, recipient: str) -> Entry:
    return Entry(
        at=datetime(2026, 1, 1, hour, tzinfo=UTC),
        uid="lunch",
        method=method,
        originator=originator,
        recipients=(recipient,),
        status="1.2",
        reason="",
        outcome="",
    )


AT_ANN = Explanation(
    uid="lunch",
    participants=(
        somebody(ANN, "organizer", copy="calendars/user/ann/Default/lunch.ics", sequence=1),
        somebody(BOB, "attendee", agent="CLIENT", status="1.2", answer="NEEDS-ACTION"),
    ),
    sent=(sent(1, "REQUEST", ANN, BOB), sent(3, "REQUEST", ANN, BOB)),
    wrong=(),
)
AT_BOB = Explanation(
    uid="lunch",
    participants=(
        somebody(ANN, "organizer"),
        somebody(BOB, "attendee", agent="SERVER", own_answer="ACCEPTED", copy="calendars/user/bob/x/y", sequence=0),
    ),
    sent=(sent(2, "REPLY", BOB, ANN),),
    wrong=(),
)


def test_what_the_organizers_node_says_of_attendees_counts_and_their_nodes_say_what_they_have() -> None:
    expected = Explanation(
        uid="lunch",
        participants=(
            AT_ANN.participants[0],
            somebody(
                BOB,
                "attendee",
                agent="CLIENT",
                status="1.2",
                answer="NEEDS-ACTION",
                own_answer="ACCEPTED",
                copy="calendars/user/bob/x/y",
                sequence=0,
            ),
        ),
        sent=(AT_ANN.sent[0], AT_BOB.sent[0], AT_ANN.sent[1]),
        wrong=(),
    )
    assert together([AT_BOB, AT_ANN]) == expected
    assert together([AT_ANN, AT_BOB, AT_BOB, AT_ANN]) == expected, "who is asked twice says nothing new"


def test_an_explanation_goes_from_node_to_node() -> None:
    for each in (AT_ANN, AT_BOB):
        assert unpacked(packed(each)) == each
        assert together([each]) == each
