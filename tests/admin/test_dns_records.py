"""Records of RFC 6764, and that DNS software reads the zone the same way."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import dns.rdatatype
import dns.zone
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from calserver.admin import Refused
from calserver.admin import dns as published


def by_name(domain: str, **options: object) -> dict[tuple[str, str], str]:
    return {(each.name, each.type): each.content for each in published.records(domain, **options)}


def test_calendars_are_found_over_tls_with_their_path() -> None:
    """RFC 6764 sections 3 and 4."""
    found = by_name("example.org")
    assert found["_caldavs._tcp.example.org", "SRV"] == "0 1 443 cal.example.org."
    assert found["_caldavs._tcp.example.org", "TXT"] == '"path=/dav/"'


def test_what_is_not_offered_says_so() -> None:
    """RFC 2782: a target of "." means that the service is decidedly not available."""
    found = by_name("example.org")
    for label in ("_caldav", "_carddav", "_carddavs"):
        assert found[f"{label}._tcp.example.org", "SRV"] == "0 0 0 ."
        assert (f"{label}._tcp.example.org", "TXT") not in found
    assert by_name("example.org", ischedule=False)["_ischedules._tcp.example.org", "SRV"] == "0 0 0 ."


def test_other_servers_find_the_receiver_and_the_keys() -> None:
    found = by_name("example.org", port=8443, keys={"cal1": "v=DKIM1; p=QQ=="}, key_lookup=True)
    assert found["_ischedules._tcp.example.org", "SRV"] == "0 1 8443 cal.example.org."
    assert found["_ischedules._tcp.example.org", "TXT"] == '"path=/.well-known/ischedule"'
    assert found["cal1._domainkey.example.org", "TXT"] == '"v=DKIM1; p=QQ=="'
    assert found["_domainkey_lookup._tcp.example.org", "SRV"] == "0 1 8443 cal.example.org."
    assert ("_domainkey_lookup._tcp.example.org", "TXT") not in found
    assert not [name for name, _ in found if name.startswith("_ischedule.")]


def test_addresses_are_those_of_a_host_inside_the_domain() -> None:
    found = by_name("example.org", addresses=["192.0.2.1", "2001:DB8::1"])
    assert (found["cal.example.org", "A"], found["cal.example.org", "AAAA"]) == ("192.0.2.1", "2001:db8::1")
    assert "A" not in {kind for _, kind in by_name("example.org", host="cal.example.net", addresses=["192.0.2.1"])}
    assert by_name("example.org", host="example.org", addresses=["192.0.2.1"])["example.org", "A"] == "192.0.2.1"
    with pytest.raises(Refused, match="not an IP address"):
        published.records("example.org", addresses=["localhost"])


@given(st.text(max_size=700))
@example(" ")
@example('" "')
def test_any_text_survives_the_zone_file(text: str) -> None:
    """RFC 1035 section 5.1: quotes and backslashes are escaped; a string has at most 255 octets."""
    text = text.encode("utf-8", "ignore").decode()
    record = published.Record(name="x.example.org", type="TXT", content=published.quoted(text), purpose="a test")
    assert record.value == text
    soa = "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\n"
    zone = dns.zone.from_text(published.zone("example.org", [record]) + soa, origin="example.org.", relativize=False)
    (txt,) = zone.find_rdataset("x.example.org.", dns.rdatatype.TXT)
    assert b"".join(txt.strings).decode() == text
    assert all(len(each) <= 255 for each in txt.strings)


KEY = "v=DKIM1; k=rsa; s=ischedule; p=" + "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKC" * 10


@pytest.mark.parametrize("checker", ["nsd-checkzone", "named-checkzone"])
def test_bind_and_nsd_read_the_zone(checker: str, program: Callable[[str], str], tmp_path: Path) -> None:
    everything = published.records(
        "example.org",
        addresses=["192.0.2.1", "2001:db8::1"],
        keys={"cal1": KEY, "cal2": "v=DKIM1; p="},
        key_lookup=True,
    )
    text = published.zone("example.org", everything)
    (tmp_path / "zone").write_text(text + "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\n")
    done = subprocess.run(
        [program(checker), "example.org", tmp_path / "zone"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ignoring" not in done.stdout


def test_host_ports_and_path_are_those_that_clients_see() -> None:
    found = by_name("example.org", host="dav.example.net", port=8443, plain_port=8008, path="/servlet/dav/")
    assert found["_caldavs._tcp.example.org", "SRV"] == "0 1 8443 dav.example.net."
    assert found["_caldav._tcp.example.org", "SRV"] == "0 1 8008 dav.example.net."
    assert found["_caldav._tcp.example.org", "TXT"] == '"path=/servlet/dav/"'


def test_international_names_are_published_in_their_ascii_form() -> None:
    assert ("_caldavs._tcp.xn--bcher-kva.example", "SRV") in by_name("Bücher.example.")


@pytest.mark.parametrize("name", ["", "localhost", "a b.org", "-x.org", "a..b", "x" * 64 + ".org", "a." * 130 + "org"])
def test_what_is_no_domain_is_refused(name: str) -> None:
    with pytest.raises(Refused):
        published.records(name)


def test_a_name_server_reads_the_zone() -> None:
    text = published.zone("example.org", published.records("example.org"))
    soa = "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\n"
    zone = dns.zone.from_text(text + soa, origin="example.org.", relativize=False)
    (srv,) = zone.find_rdataset("_caldavs._tcp.example.org.", dns.rdatatype.SRV)
    assert (srv.priority, srv.weight, srv.port, str(srv.target)) == (0, 1, 443, "cal.example.org.")
    (txt,) = zone.find_rdataset("_caldavs._tcp.example.org.", dns.rdatatype.TXT)
    assert txt.strings == (b"path=/dav/",)
