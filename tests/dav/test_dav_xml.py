"""Reading hostile XML, writing markup, keeping properties verbatim (RFC 4918 sections 4.3, 8.2, 20.6)."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from calserver.dav import BadRequest, ContentTooLarge, Limits, Markup, Refusal, xml
from calserver.names import C, D

TINY = Limits(size_bytes=10_000, elements=50, depth=10, name_characters=40)

BILLION_LAUGHS = """<?xml version="1.0"?>
<!DOCTYPE lolz [
 <!ENTITY lol "lol">
 <!ENTITY lol1 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
 <!ENTITY lol2 "&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;">
]>
<D:propfind xmlns:D="DAV:"><D:prop a="&lol2;">&lol2;</D:prop></D:propfind>"""


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(BILLION_LAUGHS.encode(), id="billion laughs"),
        pytest.param(BILLION_LAUGHS.encode("utf-16"), id="billion laughs in UTF-16"),
        pytest.param(BILLION_LAUGHS.replace('<?xml version="1.0"?>', "").encode("utf-16-be"), id="UTF-16 without mark"),
        pytest.param(b"\xef\xbb\xbf" + BILLION_LAUGHS.encode(), id="behind a byte order mark"),
        pytest.param(b"\xef\xbb\xbf" * 2 + b"<!DOCTYPE a><a/>", id="behind two byte order marks"),
        pytest.param("\ufeff<!DOCTYPE a><a/>".encode("utf-16"), id="behind two byte order marks of UTF-16"),
        pytest.param(b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', id="external subset"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', id="external entity"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://192.0.2.1/">%x;]><a/>', id="parameter entity"),
        pytest.param(
            b"<?xml version='1.0'?> <!-- <a> --> <?b c?> <!DOCTYPE a><a/>", id="behind comment and instruction"
        ),
        pytest.param(b"<a>&undeclared;</a>", id="undeclared entity"),
        pytest.param(b"<a>&#0;</a>", id="character reference to NUL"),
        pytest.param(b"<a>\x01</a>", id="control character"),
        pytest.param(b"<a>\xff\xfe</a>", id="not UTF-8"),
        pytest.param("<a>\ud800</a>".encode("utf-8", "surrogatepass"), id="surrogate"),
        pytest.param("<a>\ud800</a>".encode("utf-16-le", "surrogatepass"), id="half of a surrogate pair"),
        pytest.param(b'<a xmlns:b=""/>', id="prefix bound to nothing"),
        pytest.param(b"<b:a/>", id="prefix not bound"),
        pytest.param(b'<a xmlns="urn:x}y"/>', id="namespace that would end a Clark name"),
        pytest.param(b"<a><b></a></b>", id="crossed tags"),
        pytest.param(b"<a/><b/>", id="two roots"),
        pytest.param(b"<a", id="cut off"),
        pytest.param(b"hello", id="no XML at all"),
        pytest.param(b'<?xml version="1.0" encoding="utf-7"?><a/>', id="encoding that hides tags"),
        pytest.param(b'<?xml version="1.0" encoding="no-such"?><a/>', id="unknown encoding"),
        pytest.param(b'<?xml version="1.0" encoding="idna"?><a/>', id="a codec that is no encoding"),
    ],
)
def test_what_is_dangerous_or_malformed_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest):
        xml.parse(body)


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        pytest.param(b"<a>" * 11 + b"</a>" * 11, BadRequest, id="depth"),
        pytest.param(b"<a>" + b"<b/>" * 50 + b"</a>", ContentTooLarge, id="elements"),
        pytest.param(b"<a>" + b"<b/>" * 2000 + b"</a>", ContentTooLarge, id="elements, seen before parsing"),
        pytest.param(b"<" + b"a" * 41 + b"/>", BadRequest, id="name of an element"),
        pytest.param(b"<a " + b"b" * 41 + b"=''/>", BadRequest, id="name of an attribute"),
        pytest.param(b"<a xmlns='" + b"b" * 41 + b"'/>", BadRequest, id="namespace"),
        pytest.param(b"<a>" + b"x" * 10_000 + b"</a>", ContentTooLarge, id="bytes"),
    ],
)
def test_what_is_beyond_a_limit_is_refused(body: bytes, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        xml.parse(body, limits=TINY)


def test_what_is_at_the_limits_is_read() -> None:
    assert xml.parse(b"<a>" * 10 + b"</a>" * 10, limits=TINY).tag == "a"
    assert len(xml.parse(b"<a>" + b"<b/>" * 49 + b"</a>", limits=TINY)) == 49
    assert xml.parse(b"<" + b"a" * 40 + b"/>", limits=TINY).tag == "a" * 40
    assert xml.parse(b"<a>" + b"x" * 9_000 + b"</a>", limits=TINY).text == "x" * 9_000


def test_deep_nesting_within_the_size_limit_is_refused_quickly() -> None:
    body = b"<a>" * 500_000 + b"</a>" * 500_000
    start = time.process_time()
    with pytest.raises((BadRequest, ContentTooLarge)):
        xml.parse(body, limits=Limits(elements=1_000_000))
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        pytest.param("<a>é</a>".encode(), None, "é", id="UTF-8 by default"),
        pytest.param("<a>é</a>".encode(), "UTF-8", "é", id="charset"),
        pytest.param("<a>é</a>".encode("utf-16"), None, "é", id="UTF-16"),
        pytest.param(
            '<?xml version="1.0" encoding="utf-16"?><a>é</a>'.encode("utf-16"), None, "é", id="UTF-16 declared"
        ),
        pytest.param("<a>é</a>".encode("utf-16-be"), None, "é", id="UTF-16 without mark"),
        pytest.param("<a>é</a>".encode("latin-1"), "iso-8859-1", "é", id="charset over nothing"),
        pytest.param('<?xml version="1.0" encoding="iso-8859-1"?><a>é</a>'.encode("latin-1"), None, "é", id="declared"),
        pytest.param(
            '<?xml version="1.0" encoding="iso-8859-1"?><a>é</a>'.encode(), "utf-8", "é", id="charset wins (RFC 7303)"
        ),
        pytest.param(
            '<?xml version="1.0" encoding="iso-8859-1"?><a>é</a>'.encode("utf-8-sig"), None, "é", id="mark wins"
        ),
        pytest.param('<?xml version="1.0" encoding="utf-16"?><a>é</a>'.encode(), None, "é", id="converted on the way"),
        pytest.param(b"<a><![CDATA[<!DOCTYPE html>]]></a>", None, "<!DOCTYPE html>", id="the word in CDATA"),
        pytest.param(b"<a>x<!-- <!DOCTYPE b> -->y<?c d?>z</a>", None, "xyz", id="comments and instructions go"),
    ],
)
def test_encodings_are_told_apart_and_text_is_read(body: bytes, charset: str | None, text: str) -> None:
    assert xml.parse(body, charset=charset).text == text


# -- writing -------------------------------------------------------------------------------------------------------


def test_known_namespaces_have_the_prefixes_of_the_root() -> None:
    markup = xml.element(D("prop"), xml.element(C("calendar-data"), "a<b", **{"content-type": "text/x"}))
    assert markup == '<D:prop><C:calendar-data content-type="text/x">a&lt;b</C:calendar-data></D:prop>'


def test_unknown_namespaces_are_declared_on_the_spot_and_none_stays_none() -> None:
    nested = xml.element("{urn:x?a&b}outer", xml.element("{urn:y}inner", xml.element("bare")))
    root = xml.parse(xml.document(D("prop"), nested))
    assert [each.tag for each in root.iter()] == [D("prop"), "{urn:x?a&b}outer", "{urn:y}inner", "bare"]


def test_markup_is_not_escaped_again_and_plain_text_is() -> None:
    assert xml.element("a", Markup("<b/>"), "<b/>") == "<a><b/>&lt;b/&gt;</a>"
    assert xml.element("a") == "<a/>"
    assert xml.element("a", "") == "<a/>"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_octets_are_escaped_as_their_text_is(text: str) -> None:
    assert xml.escaped(text.encode()) == xml.escape(text)


@given(st.text())
def test_any_text_makes_well_formed_xml_and_comes_back(text: str) -> None:
    root = xml.parse(xml.document("{urn:x}a", text, attributes={"b": text}))
    legal = xml.parse(xml.document("{urn:x}a", Markup(xml.escape(text)))).text or ""
    assert root.text == (legal or None)
    wanted = "".join(
        c if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff" and not "\ud800" <= c <= "\udfff") else "\ufffd"
        for c in text
    )
    assert root.get("b") == wanted
    assert legal == wanted.replace("\r\n", "\n").replace("\r", "\n")


# -- stored properties ---------------------------------------------------------------------------------------------


def test_a_stored_property_keeps_language_attributes_and_namespaces() -> None:
    body = b"""<D:propertyupdate xmlns:D="DAV:" xmlns:X="urn:x" xml:lang="de"><D:set><D:prop>
        <X:p q="1" X:r="2" xmlns:Y="urn:y">text<Y:in xml:lang="fr"/>&#13;\n tail &amp; <![CDATA[<c>]]></X:p> after
        </D:prop></D:set></D:propertyupdate>"""
    element = xml.parse(body)[0][0][0]
    text = xml.stored(element)
    back = xml.restored(text)
    assert back.get(xml.LANG) == "de"
    assert (back.get("q"), back.get("{urn:x}r")) == ("1", "2")
    assert back.text == "text"
    assert back[0].tag == "{urn:y}in"
    assert back[0].tail == "\r\n tail & <c>"
    assert back.tail is None
    assert xml.stored(back) == text


def test_the_nearest_language_is_the_one_that_is_kept() -> None:
    root = xml.parse(b'<a xml:lang="de"><b xml:lang="fr"><c/></b><d xml:lang=""><e/></d></a>')
    assert xml.restored(xml.stored(root[0][0])).get(xml.LANG) == "fr"
    assert xml.restored(xml.stored(root[1][0])).get(xml.LANG) is None


def meaning(element: etree._Element) -> tuple[object, ...]:
    """All of an element but the choice of prefixes."""
    inside = [(meaning(each), each.tail) for each in element]
    return element.tag, sorted(element.attrib.items()), element.text, inside


def test_the_text_of_a_stored_property_is_read_without_its_tags() -> None:
    assert xml.stored_text('<D:p xmlns:D="DAV:">a &amp; <b/>c</D:p>') == "a & "
    assert xml.stored_text("<p/>") == ""


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,5}", fullmatch=True)
legal_text = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=20)


PREFIXES = {"": None, "D:": "DAV:", "X:": "urn:x", "Y:": "http://example.com/ns/"}


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> str:
    """An element as text; the prefixes are bound outside."""
    name = draw(st.sampled_from(sorted(PREFIXES))) + draw(names)
    attributes = draw(
        st.dictionaries(st.builds("{}{}".format, st.sampled_from(["", "X:"]), names), legal_text, max_size=2)
    )
    inside = xml.escape(draw(legal_text))
    if depth < 2:
        for each in draw(st.lists(elements(depth=depth + 1), max_size=2)):
            inside = Markup(inside + each + xml.escape(draw(legal_text)))
    start = name + "".join(f" {key}={xml.attribute(value)}" for key, value in attributes.items())
    return f"<{start}>{inside}</{name}>"


@given(elements())
def test_any_property_comes_back_from_storage_inside_any_answer(inside: str) -> None:
    bound = "".join(f' xmlns:{prefix[:-1]}="{uri}"' for prefix, uri in PREFIXES.items() if uri)
    element = xml.parse(f"<a{bound}>{inside}</a>".encode())[0]
    text = xml.stored(element)
    shown = xml.parse(xml.document(D("prop"), Markup(text)))[0]
    assert meaning(shown) == meaning(element)
    assert xml.stored(xml.restored(text)) == text
