"""What one request may cost (threats: short requests with large answers, many small steps)."""

import pytest
from memory_tree import Limited, Server, update

from calserver.dav import NumberOfMatchesWithinLimits
from calserver.dav.allowance import Allowance
from calserver.names import D

MANY = "".join(f"<X:{'n' * 150}{number}/>" for number in range(300))


def test_characters_are_counted() -> None:
    allowance = Allowance(10, 100)
    allowance.spend(60)
    allowance.spend(40)
    with pytest.raises(NumberOfMatchesWithinLimits):
        allowance.spend(1)


def test_seconds_are_counted() -> None:
    now = [5.0]
    allowance = Allowance(10, 100, lambda: now[0], lambda: now[0])
    now[0] = 15.0
    allowance.spend()
    assert allowance.spent_seconds == 10
    now[0] = 15.1
    with pytest.raises(NumberOfMatchesWithinLimits):
        allowance.spend()


def test_a_machine_that_is_busy_with_other_things_refuses_nothing() -> None:
    wall = [5.0]
    allowance = Allowance(10, 100, lambda: 5.0, lambda: wall[0])
    wall[0] = 1000.0
    allowance.spend()
    assert allowance.spent_seconds == 0


@pytest.fixture
def server() -> Server:
    made = Server()
    made.mkcol("/dav/a/")
    for number in range(5):
        made.put(f"/dav/a/{number}")
    made.settings = Limited(answer_bytes=300_000)
    return made


def test_a_listing_with_properties_that_nobody_has_is_bounded(server: Server) -> None:
    body = f'<D:propfind xmlns:D="DAV:" xmlns:X="{"u" * 100}"><D:prop>{MANY}</D:prop></D:propfind>'
    assert server.ask("PROPFIND", "/dav/a/", body, depth="0").status == 207
    answer = server.ask("PROPFIND", "/dav/a/", body, depth="1")
    assert (answer.status, answer.conditions) == (403, [D("number-of-matches-within-limits")])


def test_properties_that_refer_to_others_are_bounded(server: Server) -> None:
    hrefs = "".join(f"<D:href>/dav/a/{number}</D:href>" for number in range(5))
    assert server.ask("PROPPATCH", "/dav/a/", update(f"<X:all>{hrefs}</X:all>")).status == 207
    asked = "".join(f'<D:property name="{"n" * 150}{number}"/>' for number in range(300))
    body = (
        f'<D:expand-property xmlns:D="DAV:"><D:property name="all" namespace="urn:x">{asked}</D:property>'
        "</D:expand-property>"
    )
    server.settings = Limited(answer_bytes=1_000_000)
    assert server.ask("REPORT", "/dav/a/", body).status == 207
    server.settings = Limited(answer_bytes=300_000)
    assert server.ask("REPORT", "/dav/a/", body).conditions == [D("number-of-matches-within-limits")]


def test_a_request_that_computes_for_too_long_is_refused(server: Server) -> None:
    server.settings = Limited(request_seconds=-1)
    assert server.propfind("/dav/a/", D("getetag"), depth="1").conditions == [D("number-of-matches-within-limits")]
