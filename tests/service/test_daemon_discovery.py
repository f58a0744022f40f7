"""What clients find who know nothing but the host (RFC 6764, RFC 5397)."""

import pytest
import pytest_twisted
from lxml import etree
from wire import request

from calserver.names import D

PRINCIPAL = b'<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>'


def hrefs(answer, name):
    return [each.text for each in etree.fromstring(answer.body).findall(f".//{D(name)}/{D('href')}")]


@pytest.mark.parametrize("service", ["caldav", "carddav"])
@pytest_twisted.ensureDeferred
async def test_well_known_paths_redirect_before_anybody_logs_in(house, service):
    """RFC 6764 section 5; without a host, so that no proxy can make it wrong."""
    wire = await house.connect()
    for method, slash, status in [
        ("GET", "", 301),
        ("PROPFIND", "", 307),
        ("OPTIONS", "", 307),
        ("PROPFIND", "/", 301),
    ]:
        answer = await wire.ask(request(method, f"/.well-known/{service}{slash}", body=PRINCIPAL))
        assert (answer.status, answer.headers["location"]) == (status, "/dav/")
        assert "max-age" in answer.headers["cache-control"]


@pytest_twisted.ensureDeferred
async def test_other_well_known_paths_are_not_there(house):
    assert (await house.ask("GET", "/.well-known/")).status == 404
    assert (await house.ask("GET", "/.well-known/timezone")).status == 404


@pytest.mark.parametrize("path", ["/", "/dav/", "/dav", "/dav/principals/", "/dav/calendars/user/ann/", "/dav/nothing"])
@pytest_twisted.ensureDeferred
async def test_nobody_is_asked_to_log_in_whatever_the_path(house, path):
    wire = await house.connect()
    answer = await wire.ask(f"PROPFIND {path} HTTP/1.1\r\nHost: a\r\nDepth: 0\r\n\r\n".encode())
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="calserver", charset="UTF-8"'


@pytest.mark.parametrize("path", ["/", "/dav/", "/dav", "/dav/calendars/user/ann/"])
@pytest_twisted.ensureDeferred
async def test_the_principal_is_found_from_everywhere(house, path):
    """RFC 5397 section 3."""
    answer = await house.ask("PROPFIND", path, "Depth: 0", body=PRINCIPAL)
    assert answer.status == 207
    assert hrefs(answer, "current-user-principal") == ["/dav/principals/user/ann/"]
    if path in ("/", "/dav"):
        assert answer.headers["content-location"] == "/dav/"


@pytest.mark.parametrize("path", ["/", "/dav/"])
@pytest_twisted.ensureDeferred
async def test_principals_are_found_from_the_root(house, path):
    """RFC 3744 section 9.4: the scope is the request URI and what is below; python-caldav searches the root."""
    search = (
        b'<principal-property-search xmlns="DAV:"><property-search><prop><displayname/></prop><match>ann</match>'
        b"</property-search><prop><displayname/></prop></principal-property-search>"
    )
    answer = await house.ask("REPORT", path, body=search)
    assert [each.text for each in etree.fromstring(answer.body).iter(D("href"))] == ["/dav/principals/user/ann/"]


@pytest_twisted.ensureDeferred
async def test_options_tells_what_is_spoken(house):
    everywhere = [
        "/",
        "/dav/",
        "/dav/principals/user/ann/",
        "/dav/calendars/user/ann/",
        "/dav/calendars/user/ann/Default/",
    ]
    fields = {(await house.ask("OPTIONS", path)).headers["dav"] for path in everywhere}
    assert len(fields) == 1
    assert {"1", "3", "calendar-access"} <= set(fields.pop().split(", "))


@pytest_twisted.ensureDeferred
async def test_probing_the_root_makes_nothing(house):
    """Thunderbird sends PUT / with an If-Match that never matches."""
    answer = await house.ask("PUT", "/", "If-Match: nothing", body=b"x")
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, PROPFIND, REPORT"


@pytest_twisted.ensureDeferred
async def test_browsers_get_a_page(house):
    answer = await house.ask("GET", "/")
    assert answer.status == 200
    assert b"http://cal.example.org/dav/" in answer.body


@pytest.mark.parametrize("path", ["/caldav", "/carddav/", "/principals/", "/calendars/", "/addressbooks/"])
@pytest_twisted.ensureDeferred
async def test_guesses_lead_to_the_root(house, path):
    answer = await house.ask("PROPFIND", path, body=PRINCIPAL)
    assert (answer.status, answer.headers["location"]) == (307, "/dav/")


# -- prefixes ------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_what_clients_see_and_what_reaches_us_may_differ(start):
    house = await start('[server]\npublic_prefix = "/cal/"\ninner_prefix = "/servlet/dav/"')
    for path in ("/servlet/dav/", "/servlet/dav", "/cal/", "/cal", "/"):
        answer = await house.ask("PROPFIND", path, "Depth: 0", body=PRINCIPAL)
        assert hrefs(answer, "current-user-principal") == ["/cal/principals/user/ann/"]
    answer = await house.ask("PUT", "/servlet/dav/drive/user/ann/a.txt", body=b"x")
    assert answer.status == 201
    answer = await house.ask(
        "MOVE", "/servlet/dav/drive/user/ann/a.txt", "Destination: http://cal.example.org/cal/drive/user/ann/b.txt"
    )
    assert answer.status == 201
    assert (await house.ask("GET", "/.well-known/caldav")).headers["location"] == "/cal/"
    assert (await house.ask("GET", "/dav/")).status == 404


@pytest_twisted.ensureDeferred
async def test_the_root_of_the_host_may_be_the_root_of_dav(start):
    house = await start('[server]\npublic_prefix = "/"')
    answer = await house.ask("PROPFIND", "/", "Depth: 0", body=PRINCIPAL)
    assert hrefs(answer, "current-user-principal") == ["/principals/user/ann/"]
    assert (await house.ask("PROPFIND", "/principals/user/ann/", "Depth: 0", body=PRINCIPAL)).status == 207
    assert (await house.ask("GET", "/.well-known/caldav")).headers["location"] == "/"
