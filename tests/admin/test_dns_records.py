"""Records of RFC 6764, and that DNS software reads the zone the same way."""

import dns.rdatatype
import dns.zone
import pytest

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
