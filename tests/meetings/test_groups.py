"""Groups that are invited stand for their members (RFC 5545 section 3.2.11)."""

from collections.abc import Callable

import pytest
from office import Office, mail, meeting

from calserver import meetings
from calserver.store import Transaction


def members(office: Office, *who: str) -> None:
    """Let the group have these members."""

    def change(txn: Transaction) -> None:
        team = office.principal(txn, "team")
        meetings.groups_changed(txn, [team.id])
        txn.principals.set_members(team.id, [office.principal(txn, each).id for each in who])

    office.write(change)


@pytest.fixture
def team(office: Office) -> Office:
    members(office, "bob", "cyd")
    return office


def test_the_members_are_invited(team: Office) -> None:
    team.invite("m", "ann", "team")
    for who in ("bob", "cyd"):
        assert team.inbox(who, "m") == ["REQUEST"]
        prop = team.attendee("ann", "m", who)
        assert prop is not None
        assert prop.param("MEMBER") == mail("team")
    assert team.status("ann", "m", "team") == "2.7"
    assert team.inbox("dan", "m") == []


def test_who_is_invited_in_person_stays_that(team: Office) -> None:
    team.invite("m", "ann", "team", "bob")
    prop = team.attendee("ann", "m", "bob")
    assert prop is not None
    assert prop.param("MEMBER") is None
    assert team.inbox("bob", "m") == ["REQUEST"]
    members(team, "cyd")
    team.work()
    assert team.answer("ann", "m", "bob") == "NEEDS-ACTION"


def test_who_joins_is_invited_and_who_leaves_is_not_any_more(team: Office) -> None:
    team.invite("m", "ann", "team")
    team.replies("cyd", "m", "ACCEPTED")
    members(team, "cyd", "dan")
    team.work()
    assert team.inbox("dan", "m") == ["REQUEST"]
    assert "CANCEL" in team.inbox("bob", "m")
    assert team.attendee("ann", "m", "bob") is None
    assert team.answer("ann", "m", "cyd") == "ACCEPTED"


def test_what_is_over_does_not_follow(team: Office) -> None:
    team.invite("m", "ann", "team", lines=("DTSTART:20200105T090000Z",))
    members(team, "dan")
    team.work()
    assert team.inbox("dan", "m") == []


def test_groups_stay_what_they_are_where_that_is_wanted(office_with: Callable[..., Office]) -> None:
    office = office_with(expand_groups=False)
    members(office, "bob")
    assert office.put("ann", meeting("m", "ann", "team")).status == 201
    assert office.inbox("bob", "m") == []
