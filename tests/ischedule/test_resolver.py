"""Questions to real name servers: NSD, which knows its zones only, and BIND, which validates."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rrset
import pytest
import pytest_twisted
from nameservers import Named, Nsd, zone
from twisted.internet import reactor  # noqa: TID251 - tests hand it on
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import DatagramProtocol

from ischedule.resolver import (
    Answer,
    NameServer,
    Patience,
    Resolver,
    TemporaryFailure,
    addresses,
    services,
    system_name_servers,
    texts,
)

LONG = " ".join(f'"{"x" * 250}"' for _ in range(20))
ORG = zone(
    "example.org",
    "cal A 127.0.0.1",
    "cal AAAA ::1",
    "only4 A 127.0.0.4",
    "alias CNAME cal",
    "away CNAME host.example.net.",
    "nowhere CNAME missing.example.net.",
    "loop CNAME pool",
    "pool CNAME loop",
    "outside CNAME www.example.com.",
    "_ischedules._tcp SRV 0 1 443 cal",
    '_ischedules._tcp TXT "path=/x"',
    'two TXT "one" "two"',
    'two TXT "three"',
    f"long TXT {LONG}",
    "quick 1 A 127.0.0.1",
    "slow 999999 A 127.0.0.1",
)
NET = zone("example.net", "host A 127.0.0.2")


@pytest.fixture(scope="module")
def nsd(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nsd]:
    with Nsd(program("nsd"), tmp_path_factory.mktemp("nsd"), {"example.org": ORG, "example.net": NET}) as server:
        yield server


class Silent(DatagramProtocol):
    """A name server that never answers; counts."""

    def __init__(self) -> None:
        self.questions = 0

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.questions += 1


@pytest_twisted.async_yield_fixture()
async def silent() -> Any:
    protocol = Silent()
    port = reactor.listenUDP(0, protocol, interface="127.0.0.1")
    protocol.port = port.getHost().port
    yield protocol
    await port.stopListening()


def at(*ports: int, **options: Any) -> Resolver:
    patience = Patience(**{"tries": (2.0, 2.0), **options.pop("patience", {})})
    return Resolver(reactor, servers=[NameServer("127.0.0.1", each) for each in ports], patience=patience, **options)


async def ask(resolver: Resolver, name: str, kind: str) -> Answer:
    return await resolver.lookup(name, kind)


@pytest_twisted.ensureDeferred
async def test_records_are_found_with_their_ttl(nsd: Nsd) -> None:
    answer = await ask(at(nsd.port), "_ischedules._tcp.Example.ORG.", "SRV")
    (record,) = services(answer)
    assert (record.priority, record.weight, record.port, str(record.target)) == (0, 1, 443, "cal.example.org.")
    assert answer.name == "_ischedules._tcp.example.org"
    assert answer.ttl == pytest.approx(300, abs=5)


@pytest_twisted.ensureDeferred
async def test_strings_of_a_record_are_kept_apart_from_other_records(nsd: Nsd) -> None:
    assert set(texts(await ask(at(nsd.port), "two.example.org", "TXT"))) == {(b"one", b"two"), (b"three",)}


@pytest_twisted.ensureDeferred
async def test_what_does_not_fit_comes_by_tcp(nsd: Nsd) -> None:
    (strings,) = texts(await ask(at(nsd.port), "long.example.org", "TXT"))
    assert strings == (b"x" * 250,) * 20


@pytest_twisted.ensureDeferred
async def test_no_such_name_and_no_such_type_differ(nsd: Nsd) -> None:
    resolver = at(nsd.port)
    missing, other = await ask(resolver, "no.example.org", "A"), await ask(resolver, "only4.example.org", "AAAA")
    assert (missing.records, missing.exists) == ((), False)
    assert (other.records, other.exists) == ((), True)


@pytest_twisted.ensureDeferred
async def test_negative_answers_are_kept_as_the_zone_says(nsd: Nsd) -> None:
    """RFC 2308 section 5."""
    assert (await ask(at(nsd.port), "no.example.org", "A")).ttl == pytest.approx(120, abs=5)


@pytest_twisted.ensureDeferred
async def test_times_are_clamped(nsd: Nsd) -> None:
    resolver = at(nsd.port, patience={"shortest": 60, "longest": 86400})
    assert (await ask(resolver, "quick.example.org", "A")).ttl == pytest.approx(60, abs=5)
    assert (await ask(resolver, "slow.example.org", "A")).ttl == pytest.approx(86400, abs=5)


@pytest_twisted.ensureDeferred
async def test_aliases_are_followed_inside_the_zone_and_out_of_it(nsd: Nsd) -> None:
    resolver = at(nsd.port)
    alias, away = await ask(resolver, "alias.example.org", "A"), await ask(resolver, "away.example.org", "A")
    assert (alias.name, alias.aliased, str(alias.records[0])) == ("cal.example.org", True, "127.0.0.1")
    assert (away.name, str(away.records[0])) == ("host.example.net", "127.0.0.2")
    assert not (await ask(resolver, "nowhere.example.org", "A")).exists
    with pytest.raises(TemporaryFailure):
        await ask(resolver, "loop.example.org", "A")


@pytest_twisted.ensureDeferred
async def test_both_kinds_of_addresses_are_found(nsd: Nsd) -> None:
    resolver = at(nsd.port)
    assert [str(each) for each in await addresses(resolver, "cal.example.org")] == ["127.0.0.1", "::1"]
    assert [str(each) for each in await addresses(resolver, "only4.example.org")] == ["127.0.0.4"]
    assert await addresses(resolver, "no.example.org") == ()


@pytest_twisted.ensureDeferred
async def test_who_does_no_recursion_knows_nothing_of_others(nsd: Nsd) -> None:
    """REFUSED, or a referral, is no proof that there is none."""
    resolver = at(nsd.port)
    for name in ("www.example.com", "outside.example.org"):
        with pytest.raises(TemporaryFailure, match="REFUSED"):
            await ask(resolver, name, "A")
        with pytest.raises(TemporaryFailure):
            await addresses(resolver, name)


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64 + ".org", "y." * 130 + "org", "\udcff.org"])
@pytest_twisted.ensureDeferred
async def test_what_is_no_name_is_not_there(nsd: Nsd, name: str) -> None:
    assert not (await ask(at(nsd.port), name, "A")).records


@pytest_twisted.ensureDeferred
async def test_the_next_name_server_is_asked(nsd: Nsd, silent: Any) -> None:
    resolver = at(1, silent.port, nsd.port, patience={"tries": (0.1,)})
    assert (await ask(resolver, "cal.example.org", "A")).records
    assert silent.questions == 1


@pytest_twisted.ensureDeferred
async def test_silence_is_a_temporary_failure_and_remembered_for_a_while(silent: Any) -> None:
    resolver = at(silent.port, patience={"tries": (0.05, 0.05), "failure": 30})
    for _ in range(3):
        with pytest.raises(TemporaryFailure, match="took longer"):
            await ask(resolver, "cal.example.org", "A")
    assert silent.questions == 2
    hasty = at(silent.port, patience={"tries": (9.0,), "total": 0.05})
    with pytest.raises(TemporaryFailure, match="in time"):
        await ask(hasty, "cal.example.org", "A")


class Forger(DatagramProtocol):
    """Answers every question wrongly in many ways, and then rightly."""

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        query = dns.message.from_wire(datagram)
        name = query.question[0].name

        def answered(address: str, to: dns.message.Message = query) -> dns.message.Message:
            response = dns.message.make_response(to)
            response.answer.append(dns.rrset.from_text(name, 300, "IN", "A", address))
            response.flags |= dns.flags.AA
            return response

        other_number, other_question = answered("10.0.0.1"), answered("10.0.0.2", dns.message.make_query("x.org", "A"))
        other_number.id ^= 1
        other_question.id = query.id
        for forged in (b"", b"nonsense", datagram, other_number.to_wire(), other_question.to_wire()):
            self.transport.write(forged, addr)
        self.transport.write(answered("127.0.0.1").to_wire(), addr)


@pytest_twisted.ensureDeferred
async def test_what_is_no_answer_to_the_question_is_ignored() -> None:
    """RFC 5452 section 9.1."""
    port = reactor.listenUDP(0, Forger(), interface="127.0.0.1")
    try:
        answer = await ask(at(port.getHost().port), "cal.example.org", "A")
        assert [str(each) for each in answer.records] == ["127.0.0.1"]
    finally:
        await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_nobody_listens(nsd: Nsd) -> None:
    with pytest.raises(TemporaryFailure, match="nothing listens there"):
        await ask(at(1), "cal.example.org", "A")


@pytest_twisted.ensureDeferred
async def test_one_question_for_all_who_ask_and_for_those_who_come_later(silent: Any) -> None:
    resolver = at(silent.port, patience={"tries": (0.1,), "failure": 30})
    questions = [Deferred.fromCoroutine(ask(resolver, "cal.example.org", "A")) for _ in range(5)]
    questions[0].cancel()
    results = await gatherResults([each.addErrback(lambda failure: failure.type) for each in questions])
    assert results[1:] == [TemporaryFailure] * 4
    assert silent.questions == 1


@pytest_twisted.ensureDeferred
async def test_answers_are_kept_until_they_are_asked_for_fresh(nsd: Nsd) -> None:
    resolver = at(nsd.port)
    name = "moving.example.net"
    assert not (await ask(resolver, name, "A")).records
    nsd.publish("example.net", zone("example.net", "host A 127.0.0.2", "moving A 127.0.0.3", serial=2))
    try:
        assert not (await ask(resolver, name, "A")).records
        assert (await resolver.lookup(name, "A", fresh=True)).records
        assert (await ask(resolver, name, "A")).records
    finally:
        nsd.publish("example.net", NET.replace("hostmaster 1 ", "hostmaster 3 "))


@pytest_twisted.ensureDeferred
async def test_the_cache_is_bounded(nsd: Nsd) -> None:
    resolver = at(nsd.port, size=3)
    for number in range(6):
        await ask(resolver, f"n{number}.example.org", "A")
    assert len(resolver._cache) == 3


@pytest.fixture
def signed(program: Callable[[str], str], tmp_path: Path) -> Iterator[Named]:
    """A resolver that validates example.org, which is signed, and knows example.net, which is not."""
    text = ORG.replace("@ NS ns\n", "@ NS ns\n").encode()
    (tmp_path / "plain").write_bytes(text)
    run = {"cwd": tmp_path, "check": True, "capture_output": True, "text": True}
    keygen = [program("dnssec-keygen"), "-a", "ECDSAP256SHA256", "-f", "KSK", "example.org"]
    key = subprocess.run(keygen, **run).stdout.strip()  # type: ignore[call-overload]
    public = (tmp_path / f"{key}.key").read_text()
    (tmp_path / "plain").write_bytes(text + public.encode())
    sign = [program("dnssec-signzone"), "-z", "-o", "example.org", "-f", "signed", "plain", key]
    subprocess.run(sign, **run)  # type: ignore[call-overload]
    record = next(line for line in public.splitlines() if "DNSKEY" in line).split("DNSKEY")[1].split()
    anchor = f'example.org. static-key {" ".join(record[:3])} "{"".join(record[3:])}";'
    zones = {"example.org": (tmp_path / "signed").read_text(), "example.net": NET}
    (tmp_path / "nsd").mkdir()
    (tmp_path / "named").mkdir()
    with (
        Nsd(program("nsd"), tmp_path / "nsd", zones) as nsd,
        Named(program("named"), tmp_path / "named", nsd.port, list(zones), anchor) as named,
    ):
        yield named


@pytest_twisted.ensureDeferred
async def test_validated_answers_are_authentic(signed: Named) -> None:
    """RFC 6840 section 5.7: AD in the question asks for AD in the answer; loopback is believed."""
    resolver = at(signed.port)
    assert (await ask(resolver, "_ischedules._tcp.example.org", "SRV")).authentic
    assert (await ask(resolver, "no.example.org", "SRV")).authentic
    assert not (await ask(resolver, "host.example.net", "A")).authentic
    assert not (await ask(resolver, "away.example.org", "A")).authentic


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.1", "192.0.2.1", 53),
        ("192.0.2.1:5353", "192.0.2.1", 5353),
        ("2001:DB8::1", "2001:db8::1", 53),
        ("[2001:db8::1]", "2001:db8::1", 53),
        ("[2001:db8::1]:54", "2001:db8::1", 54),
    ],
)
def test_name_servers_are_read_from_text(text: str, address: str, port: int) -> None:
    assert NameServer.parse(text) == NameServer(address, port)


@pytest.mark.parametrize("text", ["", "localhost", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:99999", "[::1]:x", "::1::"])
def test_what_is_no_name_server_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is that of ipaddress for some
        NameServer.parse(text)


def test_the_system_has_name_servers() -> None:
    assert system_name_servers()
