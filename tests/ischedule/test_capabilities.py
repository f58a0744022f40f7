"""What receivers accept: our document, those of other servers, and how long they are remembered (draft section 9)."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ischedule import capabilities
from ischedule.capabilities import UNKNOWN, Capabilities, CapabilitiesCache
from ischedule.xml import Malformed

OURS = Capabilities(
    serial=12,
    messages=(("VEVENT", ("REQUEST", "ADD", "REPLY", "CANCEL")), ("VFREEBUSY", ("REQUEST",))),
    inline_attachments=False,
    external_attachments=True,
    rscales=("GREGORIAN",),
    max_content_length=1048576,
    min_date_time="19000101T000000Z",
    max_date_time="21001231T235959Z",
    max_instances=2000,
    max_recipients=100,
    administrator="mailto:postmaster@receiver.example",
)
DOCUMENT = """<?xml version="1.0" encoding="utf-8"?>
<query-result xmlns="urn:ietf:params:xml:ns:ischedule">
  <capabilities>
    <serial-number>12</serial-number>
    <versions>
      <version>1.0</version>
    </versions>
    <scheduling-messages>
      <component name="VEVENT">
        <method name="REQUEST"/><method name="ADD"/><method name="REPLY"/><method name="CANCEL"/>
      </component>
      <component name="VFREEBUSY"><method name="REQUEST"/></component>
    </scheduling-messages>
    <calendar-data-types>
      <calendar-data-type content-type="text/calendar" version="2.0"/>
    </calendar-data-types>
    <attachments><external/></attachments>
    <rscales><rscale>GREGORIAN</rscale></rscales>
    <max-content-length>1048576</max-content-length>
    <min-date-time>19000101T000000Z</min-date-time>
    <max-date-time>21001231T235959Z</max-date-time>
    <max-instances>2000</max-instances>
    <max-recipients>100</max-recipients>
    <administrator>mailto:postmaster@receiver.example</administrator>
  </capabilities>
</query-result>
"""
APPLE = b"""<?xml version='1.0' encoding='UTF-8'?>
<query-result xmlns='urn:ietf:params:xml:ns:ischedule'>
  <capabilities>
    <version>7</version>
    <versions><version>1.0</version></versions>
    <scheduling-messages>
      <component name='VEVENT'><method name='REQUEST'/><method name='CANCEL'/><method name='REPLY'/></component>
      <component name='VTODO'><method name='REQUEST'/><method name='CANCEL'/><method name='REPLY'/></component>
      <component name='VFREEBUSY'><method name='REQUEST'/></component>
    </scheduling-messages>
    <calendar-data-types><calendar-data-type content-type='text/calendar' version='2.0'/></calendar-data-types>
    <attachments><external/></attachments>
    <max-content-length>102400</max-content-length>
    <min-date-time>19000101T000000Z</min-date-time>
    <max-date-time>21000101T000000Z</max-date-time>
    <max-instances>150</max-instances>
    <max-recipients>250</max-recipients>
    <administrator>http://calendar.example.org/admin</administrator>
  </capabilities>
</query-result>"""
CYRUS = b"""<?xml version="1.0" encoding="utf-8"?>
<query-result xmlns="urn:ietf:params:xml:ns:ischedule">
  <capabilities>
    <serial-number>1734000000</serial-number>
    <versions><version>1.0</version></versions>
    <scheduling-messages>
      <component name="VEVENT"><method name="REQUEST"/><method name="REPLY"/><method name="CANCEL"/></component>
      <component name="VPOLL"><method name="POLLSTATUS"/></component>
      <component name="VFREEBUSY"><method name="REQUEST"/></component>
    </scheduling-messages>
    <calendar-data-types>
      <calendar-data-type content-type="text/calendar" version="2.0"/>
      <calendar-data-type content-type="application/calendar+json" version="2.0"/>
    </calendar-data-types>
    <attachments><inline/></attachments>
    <rscales><rscale>Gregorian</rscale><rscale>HEBREW</rscale></rscales>
    <max-content-length>5242880</max-content-length>
    <min-date-time>-9999</min-date-time>
    <max-date-time>20380119T031407Z</max-date-time>
    <max-recipients/>
    <administrator></administrator>
  </capabilities>
</query-result>"""
DAVICAL = b"""<?xml version="1.0"?><query-result xmlns="urn:ietf:params:xml:ns:ischedule"><capability-set>
  <supported-version-set><version>1.0</version></supported-version-set>
  <supported-scheduling-message-set><comp name="VEVENT"/></supported-scheduling-message-set>
  </capability-set></query-result>"""


def test_our_document_is_that_of_the_draft() -> None:
    squeezed = "".join(line.strip() for line in DOCUMENT.splitlines())
    written = capabilities.write(OURS).decode()
    assert written.replace("\n", "") == squeezed.replace("\n", "")
    assert capabilities.read(DOCUMENT.encode()) == capabilities.read(capabilities.write(OURS)) == OURS


def test_the_document_of_apples_server() -> None:
    found = capabilities.read(APPLE)
    assert (found.serial, found.versions) == (7, ("1.0",))
    assert (found.max_recipients, found.max_instances, found.rscales) == (250, 150, None)
    assert found.accepts("VTODO", "CANCEL")
    assert not found.accepts("VEVENT", "ADD")
    assert (found.inline_attachments, found.external_attachments) == (False, True)


def test_the_document_of_cyrus() -> None:
    found = capabilities.read(CYRUS)
    assert found.serial == 1734000000
    assert (found.max_recipients, found.max_instances, found.min_date_time) == (None, None, None)
    assert found.rscales == ("GREGORIAN", "HEBREW")
    assert ("application/calendar+json", "2.0") in found.data_types
    assert (found.inline_attachments, found.external_attachments) == (True, False)
    assert found.administrator == ""


def test_the_document_of_the_first_drafts() -> None:
    assert capabilities.read(DAVICAL) == UNKNOWN
    assert UNKNOWN.accepts("VEVENT", "COUNTER")


def test_what_says_nothing_limits_nothing() -> None:
    found = capabilities.read(
        b"<query-result><capabilities><max-recipients>0</max-recipients></capabilities></query-result>"
    )
    assert found == UNKNOWN
    assert capabilities.read(b"<capabilities/>") == UNKNOWN
    every = capabilities.read(
        b"<capabilities><scheduling-messages><component name='VEVENT'/></scheduling-messages></capabilities>"
    )
    assert every.accepts("VEVENT", "ANYTHING")
    assert not every.accepts("VTODO", "REQUEST")


@pytest.mark.parametrize("document", [b"", b"{}", b"<html><body/></html>", b"<query-result/>"])
def test_what_is_no_document(document: bytes) -> None:
    with pytest.raises(Malformed):
        capabilities.read(document)


numbers = st.none() | st.integers(1, 10**15)
instants = st.none() | st.from_regex(r"[0-9]{8}T[0-9]{6}Z", fullmatch=True).filter(str.isascii)
names = st.from_regex(r"[A-Z]{1,9}", fullmatch=True)


@given(
    st.builds(
        Capabilities,
        serial=st.integers(1, 10**9),
        messages=st.lists(st.tuples(names, st.lists(names, max_size=3).map(tuple)), min_size=1, max_size=3).map(tuple),
        inline_attachments=st.booleans(),
        external_attachments=st.booleans(),
        rscales=st.none() | st.lists(names, min_size=1, max_size=3).map(tuple),
        max_content_length=numbers,
        min_date_time=instants,
        max_date_time=instants,
        max_instances=numbers,
        max_recipients=numbers,
        administrator=st.from_regex(r"mailto:[a-z&<]{1,9}", fullmatch=True),
    )
)
def test_what_is_written_is_read(given: Capabilities) -> None:
    assert capabilities.read(capabilities.write(given)) == given


@given(st.sampled_from(["APPLE", "CYRUS"]), st.integers(0, 2000), st.binary(max_size=5))
def test_reading_never_breaks(which: str, at: int, noise: bytes) -> None:
    document = APPLE if which == "APPLE" else CYRUS
    with suppress(Malformed):
        capabilities.read(document[:at] + noise + document[at:])


def test_a_document_is_remembered_for_as_long_as_it_says() -> None:
    cache, url = CapabilitiesCache(), "https://cal.receiver.example/ischedule"
    assert cache.fresh(url, 0) is None
    for cache_control, seconds in (
        ("", 3600),
        ("public, max-age=60", 60),
        ("max-age=999999", 86400),
        ("no-cache", 3600),
    ):
        cache.keep(url, OURS, now=100, cache_control=cache_control, etag='"1"')
        fresh = cache.fresh(url, 100 + seconds - 1)
        assert fresh is not None
        assert (fresh.capabilities, fresh.url) == (OURS, url)
        assert cache.fresh(url, 100 + seconds) is None
        known = cache.known(url)
        assert known is not None
        assert known.etag == '"1"'
    cache.forget(url)
    assert cache.known(url) is None


def test_another_serial_number_makes_it_stale() -> None:
    cache, url = CapabilitiesCache(), "https://cal.receiver.example/ischedule"
    assert not cache.notice(url, "13")
    cache.keep(url, OURS, now=0)
    for same in ("12", " 12 ", "", None):
        assert not cache.notice(url, same)
    assert cache.notice(url, "13")
    assert cache.known(url) is None


def test_not_everything_is_remembered() -> None:
    cache = CapabilitiesCache(size=2)
    for url in ("a", "b", "a", "c"):
        cache.keep(url, OURS, now=0)
    assert [cache.fresh(url, 1) is not None for url in ("a", "b", "c")] == [True, False, True]
