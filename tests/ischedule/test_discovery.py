"""Where a domain's iSchedule service is: against a table of names, and against a real name server."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import dns.rdata
import pytest
import pytest_twisted
from dns.rdtypes.IN.SRV import SRV
from hypothesis import given
from hypothesis import strategies as st
from nameservers import Nsd, zone
from resolved import Names
from twisted.internet import reactor  # noqa: TID251 - tests hand it on
from twisted.internet.task import Clock

from ischedule.discovery import (
    Discovery,
    NoService,
    Server,
    TemporaryFailure,
    acceptable,
    context_path,
    in_order,
)
from ischedule.domains import a_labels, domain_of, is_public_suffix, parents
from ischedule.resolver import NameServer, Patience, Resolver

NAME = "_ischedules._tcp.example.org"


def record(text: str) -> SRV:
    found = dns.rdata.from_text("IN", "SRV", text)
    assert isinstance(found, SRV)
    return found


class Lot:
    """Chance that is no chance: always the same number."""

    def __init__(self, number: int) -> None:
        self.number = number

    def randint(self, a: int, b: int) -> int:
        return min(max(self.number, a), b)


services = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=8).map(
    lambda rows: [record(f"{priority} {weight} 443 h{n}.example.org.") for n, (priority, weight) in enumerate(rows)]
)


@given(services, st.randoms(use_true_random=False))
def test_all_servers_are_tried_by_priority_and_those_without_weight_last(
    records: list[SRV], chance: random.Random
) -> None:
    """RFC 2782."""
    ordered = in_order(records, chance)
    assert Counter(ordered) == Counter(records)
    assert [each.priority for each in ordered] == sorted(each.priority for each in records)
    for priority in {each.priority for each in records}:
        weightless = [each.weight == 0 for each in ordered if each.priority == priority]
        assert weightless == sorted(weightless)


@given(services)
def test_each_server_comes_first_as_often_as_its_weight_says(records: list[SRV]) -> None:
    """Every number that could be drawn, once."""
    best = min(each.priority for each in records)
    weights = {each: each.weight for each in records if each.priority == best}
    total = sum(weights.values())
    first = Counter(in_order(records, Lot(number))[0] for number in range(1, total + 1))
    assert all(first[each] == weight for each, weight in weights.items()) or total == 0


@given(services, st.randoms(use_true_random=False))
def test_the_order_of_records_in_the_answer_does_not_matter(records: list[SRV], chance: random.Random) -> None:
    shuffled = chance.sample(records, len(records))
    assert in_order(shuffled, random.Random(7)) == in_order(records, random.Random(7))


def test_over_time_the_load_is_shared_by_weight() -> None:
    chance = random.Random(20)
    records = [record(f"0 {weight} 443 w{weight}.example.org.") for weight in (0, 10, 30)]
    first = Counter(in_order(records, chance)[0].weight for _ in range(4000))
    assert first[0] == 0
    assert first[30] / 4000 == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize(
    ("strings", "path"),
    [
        ([[b"path=/ischedule"]], "/ischedule"),
        ([[b"", b"PATH=/a/b/", b"path=/c"]], "/a/b/"),
        ([[b"txtvers=1", b"path=/x"]], "/x"),
        ([[b"path=/b"], [b"path=/a"]], "/a"),
        ([[b"path=bad"], [b"other=1"], [b"path=/z"]], "/z"),
        ([[b"path"], [b"path=/z"]], "/z"),
        ([[b"path=/"]], "/"),
        ([[b"path=/a%20b"]], "/a%20b"),
        ([], None),
        ([[b"other=/x"]], None),
    ],
)
def test_the_path_stands_in_a_txt_record(strings: list[list[bytes]], path: str | None) -> None:
    """RFC 6763 section 6; RFC 6764 section 4."""
    assert context_path(strings) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "x",
        "//evil.example/x",
        "https://evil.example/",
        "/a/../b",
        "/..",
        "/%2e%2e/b",
        "/a?b",
        "/a#b",
        "/a b",
        "/a\r\nb",
        "/a//b",
        "/\\evil.example",
        "/%5cevil.example",
        "/ä",
        "/" + "x" * 600,
        "/" + "x" * 500 + "?",
    ],
)
def test_paths_that_lead_astray_are_not_there(path: str) -> None:
    assert context_path([[b"path=" + path.encode("latin-1")]]) is None


def discovery(records: dict[tuple[str, str], list[str] | Exception], **options: object) -> Discovery:
    return Discovery(Names(records), Clock(), draw=Lot(1), **options)  # type: ignore[arg-type]


@pytest_twisted.ensureDeferred
async def test_servers_come_with_path_and_source() -> None:
    found = discovery(
        {(NAME, "SRV"): ["1 0 8443 b.Example.org.", "0 0 443 a.example.org."], (NAME, "TXT"): ['"path=/x"']}
    )
    first, second = await found.discover("EXAMPLE.org.")
    assert first == Server(host="a.example.org", port=443, path="/x", source=NAME)
    assert (first.url, second.url) == ("https://a.example.org/x", "https://b.example.org:8443/x")


@pytest_twisted.ensureDeferred
async def test_without_a_path_it_is_the_well_known_one() -> None:
    for txt in ([], ['"path=nonsense"'], TimeoutError("nobody answers")):
        (server,) = await discovery({(NAME, "SRV"): ["0 0 443 a.example.org."], (NAME, "TXT"): txt}).discover(
            "example.org"
        )
        assert server.path == "/.well-known/ischedule"


@pytest_twisted.ensureDeferred
async def test_ones_own_service_is_not_that_of_the_domains_below() -> None:
    """They have none then, and can be reached by mail."""
    found = discovery({(NAME, "SRV"): ["0 0 443 a.example.org."]}, own=lambda domain: domain == "example.org")
    with pytest.raises(NoService) as caught:
        await found.discover("staff.example.org")
    assert not caught.value.declined


@pytest_twisted.ensureDeferred
async def test_who_declines_is_not_asked_further() -> None:
    """RFC 2782: a target of "." means that the service is decidedly not available."""
    found = discovery(
        {("_ischedules._tcp.a.example.org", "SRV"): ["0 0 0 ."], (NAME, "SRV"): ["0 0 443 a.example.org."]}
    )
    with pytest.raises(NoService, match="says that it has no") as caught:
        await found.discover("a.example.org")
    assert caught.value.declined


@pytest_twisted.ensureDeferred
async def test_the_domains_above_are_asked_as_far_as_the_registered_one() -> None:
    names = Names({("_ischedules._tcp.example.co.uk", "SRV"): ["0 0 443 a.example.org."]})
    found = Discovery(names, Clock())
    (server,) = await found.discover("a.b.example.co.uk")
    assert server.source == "_ischedules._tcp.example.co.uk"
    names.asked.clear()
    with pytest.raises(NoService):
        await found.discover("x.y.z.other.co.uk")
    asked = [name for name, _ in names.asked]
    assert asked == [f"_ischedules._tcp.{each}" for each in ("x.y.z.other.co.uk", "y.z.other.co.uk", "z.other.co.uk")]


@pytest.mark.parametrize(
    "domain", ["org", "co.uk", "github.io", "", "a..b", "10.0.0.1", "[10.0.0.1]", "a b.org", "-a.org"]
)
@pytest_twisted.ensureDeferred
async def test_what_nobody_has_registered_is_not_asked_for(domain: str) -> None:
    names = Names({})
    with pytest.raises(NoService):
        await Discovery(names, Clock()).discover(domain)
    assert names.asked == []


@pytest_twisted.ensureDeferred
async def test_targets_that_are_nonsense_are_skipped() -> None:
    nonsense = ["0 0 443 10.0.0.1.", "0 0 443 org.", "0 0 0 a.example.org.", "0 0 443 a\\032b.org.", "0 0 443 ."]
    (server,) = await discovery({(NAME, "SRV"): [*nonsense, "9 0 443 a.example.org."]}).discover("example.org")
    assert server.host == "a.example.org"
    with pytest.raises(NoService):
        await discovery({(NAME, "SRV"): nonsense}).discover("example.org")


@pytest_twisted.ensureDeferred
async def test_eight_servers_are_enough() -> None:
    many = [f"0 1 443 h{number}.example.org." for number in range(50)]
    assert len(await discovery({(NAME, "SRV"): many}).discover("example.org")) == 8


@pytest_twisted.ensureDeferred
async def test_what_is_not_known_is_not_no() -> None:
    found = discovery(
        {("_ischedules._tcp.a.example.org", "SRV"): TimeoutError("silence"), (NAME, "SRV"): ["0 0 1 a.b.org."]}
    )
    with pytest.raises(TemporaryFailure):
        await found.discover("a.example.org")


@pytest_twisted.ensureDeferred
async def test_clear_text_only_where_it_is_allowed() -> None:
    plain: dict[tuple[str, str], list[str] | Exception] = {
        ("_ischedule._tcp.example.org", "SRV"): ["0 0 80 a.example.org."]
    }
    with pytest.raises(NoService):
        await discovery(plain).discover("example.org")
    (server,) = await discovery(plain, plain=True).discover("example.org")
    assert server.url == "http://a.example.org/.well-known/ischedule"


@pytest_twisted.ensureDeferred
async def test_a_server_that_does_not_answer_may_have_moved() -> None:
    """What is remembered of its domain is not believed the next time, whatever its lifetime."""
    names = Names({(NAME, "SRV"): ["0 0 443 a.example.org."]})
    found = Discovery(names, Clock())
    (server,) = await found.discover("example.org")
    found.failed(server)
    names.records[NAME, "SRV"] = ["0 0 443 b.example.org."]
    (server,) = await found.discover("example.org")
    assert (server.host, names.anew) == ("b.example.org", [NAME])
    await found.discover("example.org")
    assert names.anew == [NAME], "once is enough"


@pytest_twisted.ensureDeferred
async def test_dead_servers_are_tried_last_for_a_while() -> None:
    clock = Clock()
    names = Names({(NAME, "SRV"): ["0 0 443 a.example.org.", "1 0 443 b.example.org.", "2 0 443 c.example.org."]})
    found = Discovery(names, clock)

    async def hosts() -> str:
        return "".join(server.host[0] for server in await found.discover("example.org"))

    servers = await found.discover("example.org")
    found.failed(servers[0])
    assert await hosts() == "bca"
    found.failed(servers[1])
    assert await hosts() == "cab"
    found.succeeded(servers[0])
    assert await hosts() == "acb"
    clock.advance(61)
    assert await hosts() == "abc"


def test_whom_to_believe() -> None:
    inside = Server(host="cal.example.org")
    outside, signed = Server(host="cal.host.example"), Server(host="cal.host.example", authentic=True)
    assert [acceptable(each, "example.org", "target") for each in (inside, outside, signed)] == [True, True, True]
    assert [acceptable(each, "example.org", "dnssec") for each in (inside, outside, signed)] == [True, False, True]
    assert [acceptable(each, "example.org", "same-domain") for each in (inside, outside, signed)] == [
        True,
        False,
        False,
    ]
    assert not acceptable(Server(host="badexample.org"), "example.org", "same-domain")


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("mailto:anna@example.org", "example.org"),
        ("MAILTO:Anna@EXAMPLE.org.", "example.org"),
        ("mailto:%22a%40b%22@example.org?subject=x@y.org", "example.org"),
        ("mailto:anna%40example.org", "example.org"),
        ("mailto:anna@Bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_the_domain_of_an_address(address: str, domain: str) -> None:
    assert domain_of(address) == domain


@pytest.mark.parametrize(
    "address",
    [
        "",
        "anna@example.org",
        "mailto:anna",
        "mailto:@example.org",
        "mailto:anna@",
        "mailto:anna@[10.0.0.1]",
        "mailto:anna@10.0.0.1",
        "urn:uuid:1",
        "https://a@example.org/",
        "mailto:anna@exa mple.org",
    ],
)
def test_addresses_without_a_domain(address: str) -> None:
    with pytest.raises(ValueError, match=r"not|Codepoint|empty|Empty"):
        domain_of(address)


@given(st.text(max_size=80))
def test_a_domain_in_its_ascii_form_stays_as_it_is(text: str) -> None:
    try:
        name = a_labels(text)
    except ValueError:
        return
    assert a_labels(name) == name
    assert name == name.lower()
    assert name.isascii()
    for each in parents(name):
        assert each == name or not is_public_suffix(each)


@pytest_twisted.ensureDeferred
async def test_a_domain_that_moves_and_one_that_is_taken_down(program: Callable[[str], str], tmp_path: Path) -> None:
    """Against a real name server, without its answers being kept."""
    first = zone("example.org", "_ischedules._tcp SRV 0 1 443 old", "_ischedules._tcp TXT path=/x", ttl=0, negative=0)
    then = zone("example.org", "_ischedules._tcp SRV 0 1 8443 new.example.net.", serial=2, ttl=0, negative=0)
    with Nsd(program("nsd"), tmp_path, {"example.org": first}) as nsd:
        patience = Patience(shortest=0, longest=0, longest_negative=0, failure=0, tries=(1.0,))
        resolver = Resolver(reactor, servers=[NameServer("127.0.0.1", nsd.port)], patience=patience)
        found = Discovery(resolver, reactor)
        assert [each.url for each in await found.discover("staff.example.org")] == ["https://old.example.org/x"]
        nsd.publish("example.org", then)
        (moved,) = await found.discover("example.org")
        assert moved.url == "https://new.example.net:8443/.well-known/ischedule"
        nsd.publish("example.org", zone("example.org", serial=3))
        with pytest.raises(NoService):
            await found.discover("example.org")
        nsd.stop()
        with pytest.raises(TemporaryFailure):
            await found.discover("example.org")
