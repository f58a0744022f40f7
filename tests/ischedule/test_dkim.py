"""Signatures: what is signed verifies, whatever proxies do; anything else does not (draft section 8, RFC 6376)."""

from base64 import b64decode, b64encode
from hashlib import sha256

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from letters import NOW, changed, letter, private_key, record, signed, signing_key

from ischedule import dkim
from ischedule.errors import VerificationFailed
from ischedule.message import Fields, Message

VECTOR_KEY = Ed25519PrivateKey.from_private_bytes(b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="))
VECTOR_FIELDS = (
    ("iSchedule-Version", "1.0"),
    ("iSchedule-Message-ID", "7f1c2d30-0001"),
    ("Originator", "mailto:anna@sender.example"),
    ("Recipient", " mailto:bo@receiver.example ,\t mailto:cy@receiver.example"),
    ("Content-Type", "text/calendar;  charset=utf-8; component=VEVENT; method=REQUEST"),
    ("recipient", "mailto:dee@receiver.example  "),
)
VECTOR_BODY = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n\r\n"
VECTOR_SIGNATURE = (
    "v=1; a=ed25519-sha256; c=ischedule-relaxed/simple; d=sender.example; s=cal1; q=dns/txt; t=1767225600; "
    "x=1767226200; h=content-type:ischedule-version:originator:recipient:ischedule-message-id; "
    "bh=OY+2Xz68blnpaP0RfMqG/jCQTOip1cgTsT4Zvno4yRE=; "
    "b=tZzkFVBE3K/SV2RcX5n8qiAw0koFJ7+LDTmmBcK7N/G3zZZcJ/pr96qXxpIWXXAezYoiIK69i0/X2cKvUGNiBw=="
)


def verified(fields: Fields, body: bytes, *records: str, now: float = NOW, policy: dkim.Policy = dkim.STRICT) -> str:
    """Empty if a request verifies, the reason if it does not."""
    try:
        signature = dkim.examine(fields, now=now, policy=policy)
    except VerificationFailed as failed:
        return failed.reason
    verdict = dkim.verify(signature, fields, body, records or (record(),))
    assert verdict.valid == (verdict.key is not None)
    return "" if verdict.valid else verdict.reason


# -- the vector ------------------------------------------------------------------------------------------------------


def test_the_vector_is_signed_and_verified() -> None:
    key = dkim.SigningKey(domain="sender.example", selector="cal1", private=VECTOR_KEY)
    assert dkim.sign(VECTOR_FIELDS, VECTOR_BODY, key, now=1767225600) == VECTOR_SIGNATURE
    fields = (*VECTOR_FIELDS, ("DKIM-Signature", VECTOR_SIGNATURE))
    published = "v=DKIM1; k=ed25519; s=ischedule; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    assert dkim.key_record(VECTOR_KEY) == published
    assert verified(fields, VECTOR_BODY, published) == ""
    data = dkim.canonical_fields(fields, dkim.examine(fields, now=NOW).names, VECTOR_SIGNATURE)
    assert len(data) == 526
    assert sha256(data).hexdigest() == "6b5a3381722b300bb34660c74376bad5abbdd66c4d41e6863084efad1bc875a3"


def test_fields_of_one_name_are_one_list() -> None:
    values = ["  mailto:bo@receiver.example ,\t mailto:cy@receiver.example", "mailto:dee@receiver.example  "]
    assert dkim.canonical_field("Recipient", values) == (
        "recipient:mailto:bo@receiver.example,mailto:cy@receiver.example,mailto:dee@receiver.example"
    )


@pytest.mark.parametrize(
    ("values", "canonical"),
    [
        ([""], ""),
        (["", "x"], ",x"),
        (["x", ""], "x,"),
        (["A  b\t c "], "A b c"),
        (["a\r\n b"], "a b"),
        ([" , , "], ",,"),
        (['"a , b" (c ,d)'], '"a,b" (c,d)'),
        (["MAILTO:%41@X"], "MAILTO:%41@X"),
        (["caf\xe9"], "caf\xe9"),
    ],
)
def test_the_canonical_form_of_values(values: list[str], canonical: str) -> None:
    assert dkim.canonical_field("X", values) == f"x:{canonical}"


@pytest.mark.parametrize(
    ("body", "canonical"),
    [
        (b"", b"\r\n"),
        (b"\r\n\r\n", b"\r\n"),
        (b"a", b"a\r\n"),
        (b"a\r\n\r\n", b"a\r\n"),
        (b"a\n", b"a\n\r\n"),
        (b"a \r\nb \r\n", b"a \r\nb \r\n"),
        (b"a\r\n\n\r\n", b"a\r\n\n\r\n"),
        (b"a\n\r\n\r\n", b"a\n\r\n"),
        (b"\r\r\n", b"\r\r\n"),
    ],
)
def test_the_canonical_form_of_bodies(body: bytes, canonical: bytes) -> None:
    """RFC 6376 section 3.4.3."""
    assert dkim.canonical_body(body) == canonical


# -- what is signed verifies -----------------------------------------------------------------------------------------

texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
addresses = st.from_regex(r"mailto:[a-z0-9.%+-]{1,12}@[a-z]{1,8}\.example", fullmatch=True)
bodies = st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode))


@st.composite
def requests(draw: st.DrawFn) -> Message:
    """Requests with fields that no server would send, too."""
    fields = [
        ("iSchedule-Version", "1.0"),
        ("Originator", "mailto:anna@sender.example"),
        ("Content-Type", draw(texts)),
        ("User-Agent", draw(texts)),
        *(
            ("Recipient", ",".join(each))
            for each in draw(st.lists(st.lists(addresses, max_size=3), min_size=1, max_size=4))
        ),
    ]
    return Message(fields=tuple(draw(st.permutations(fields))), body=draw(bodies))


@st.composite
def on_the_way(draw: st.DrawFn, fields: Fields) -> Fields:
    """What proxies may do to fields: case of names, blanks, order of names, merging and dividing of lists."""
    names = draw(st.permutations(sorted({name.lower() for name, _ in fields})))
    found: list[tuple[str, str]] = []
    for name in names:
        values = [value for each, value in fields if each.lower() == name]
        if draw(st.booleans()):
            values = [draw(st.sampled_from([",", ", ", " ,\t", "\t, "])).join(values)]
        elif name == "recipient":
            values = [each for value in values for each in value.split(",")]
        for value in values:
            blank = draw(st.sampled_from(["", " ", "\t", "  "]))
            spelled = "".join(each.upper() if draw(st.booleans()) else each for each in name)
            found.append(
                (
                    spelled,
                    blank + value.replace(", ", ",").replace(" ", draw(st.sampled_from([" ", "  ", " \t"]))) + blank,
                )
            )
    return tuple(found)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_is_signed_verifies_whatever_proxies_do(data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(["cal1", "rsa1"]))
    message = signed(data.draw(requests()), key=key)
    assert verified(message.fields, message.body, record(key)) == ""
    assert verified(data.draw(on_the_way(message.fields)), message.body, record(key)) == ""


@settings(max_examples=150)
@given(data=st.data())
def test_any_changed_octet_of_a_signed_field_fails(data: st.DataObject) -> None:
    message = signed()
    name = data.draw(
        st.sampled_from(["Originator", "Recipient", "Content-Type", "iSchedule-Message-ID", "DKIM-Signature"])
    )
    value = dict(message.fields)[name]
    at = data.draw(st.integers(0, len(value) - 1))
    octet = data.draw(st.characters(min_codepoint=0x21, max_codepoint=0x7E).filter(lambda each: each != value[at]))
    fields = changed(message.fields, name, value[:at] + octet + value[at + 1 :])
    reason = verified(fields, message.body)
    if name == "DKIM-Signature" and not reason:
        # What a tag says may be written in another way only where that makes no difference to what is signed: `b=`
        # itself is left out, and the last characters of base64 have bits that nobody reads.
        assert dkim.examine(fields, now=NOW).signature == dkim.examine(message.fields, now=NOW).signature
    else:
        assert reason


@settings(max_examples=150)
@given(data=st.data())
def test_any_changed_octet_of_the_body_fails(data: st.DataObject) -> None:
    message = signed()
    at = data.draw(st.integers(0, len(message.body) - 3))
    octet = data.draw(st.integers(0, 255).filter(lambda each: each != message.body[at]))
    body = message.body[:at] + bytes([octet]) + message.body[at + 1 :]
    assert verified(message.fields, body) == "The body is not the one that was signed."
    assert verified(message.fields, message.body[:at] + message.body[at + 1 :])
    assert verified(message.fields, message.body + b"x")


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["Originator", "Recipient", "Content-Type"]), texts), min_size=1, max_size=3))
def test_no_field_of_a_signed_name_can_be_added(more: list[tuple[str, str]]) -> None:
    message = signed()
    assert verified((*message.fields, *more), message.body)
    assert verified((*more, *message.fields), message.body)


def test_fields_that_are_not_signed_do_not_matter() -> None:
    message = signed()
    assert verified((*message.fields, ("Via", "1.1 proxy"), ("Host", "x")), message.body) == ""
    assert verified(changed(message.fields, "Cache-Control", None), message.body) == ""


def test_recipients_in_another_order_fail() -> None:
    message = signed()
    fields = changed(message.fields, "Recipient", "mailto:cy@receiver.example,mailto:bo@receiver.example")
    assert verified(fields, message.body)


def test_what_is_written_is_one_line_that_ends_in_the_signature() -> None:
    """Verifiers take out the value of ``b=`` in different ways, which are the same if nothing follows it."""
    value = dict(signed(key="rsa1").fields)["DKIM-Signature"]
    assert "\r" not in value
    assert "\n" not in value
    tags = dkim.parse_tags(value)
    assert list(tags) == ["v", "a", "c", "d", "s", "q", "t", "x", "h", "bh", "b"]
    assert value.endswith(f"b={tags['b']}")
    assert " " not in tags["q"]


def test_authorization_is_signed_where_it_is() -> None:
    message = signed(letter().with_field("Authorization", "Basic YTpi"))
    assert "authorization" in dkim.examine(message.fields, now=NOW).names
    assert verified(message.fields, message.body) == ""
    assert verified(changed(message.fields, "Authorization", "Basic YTpj"), message.body)
    added = signed().with_field("Authorization", "Basic YTpi")
    assert "authorization" in verified(added.fields, added.body)


@pytest.mark.parametrize("value", ["a\r\nb", "a\x00b", "caf\xe9", "\u20ac"])
def test_what_cannot_stand_in_a_field_is_not_signed(value: str) -> None:
    with pytest.raises(ValueError, match="User-Agent"):
        dkim.sign((("User-Agent", value),), b"", signing_key(), now=NOW)


# -- what is refused, with words -------------------------------------------------------------------------------------


def resigned(value: str, message: Message | None = None, key: str = "cal1") -> Message:
    """A request with a field of one's own making, signed properly."""
    message = message or letter()
    body_hash = dkim.parse_tags(dict(signed(message).fields)["DKIM-Signature"])["bh"]
    value = value.replace("BH", body_hash)
    names = [each.strip().lower() for each in dkim.parse_tags(value).get("h", "").split(":")]
    data = dkim.canonical_fields(message.fields, names, value)
    private = private_key(key)
    assert isinstance(private, Ed25519PrivateKey)
    return message.with_field("DKIM-Signature", value + b64encode(private.sign(sha256(data).digest())).decode())


GOOD = {
    "v": "1",
    "a": "ed25519-sha256",
    "c": "ischedule-relaxed/simple",
    "d": "sender.example",
    "s": "cal1",
    "q": "dns/txt",
    "t": str(int(NOW)),
    "x": str(int(NOW) + 600),
    "h": "content-type:ischedule-version:originator:recipient",
    "bh": "BH",
}


def with_tags(**tags: str | None) -> Message:
    """A request whose signature is right, but has other tags."""
    every = {**GOOD, **tags}
    return resigned("; ".join([*(f"{name}={value}" for name, value in every.items() if value is not None), "b="]))


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"c": "ischedule-relaxed"},
        {"q": None},
        {"q": "private-exchange:http/well-known:dns/txt"},
        {"q": "dns/txt : other/thing"},
        {"x": None},
        {"x": str(int(NOW) + 100 * 86400)},
        {"x": str(int(NOW) - 5), "t": str(int(NOW) - 500)},
        {"t": str(int(NOW) + 300), "x": str(int(NOW) + 301)},
        {"t": str(int(NOW) - 86400)},
        {"t": str(int(NOW) - 3600), "x": None},
        {"i": "@sender.example"},
        {"i": "anna=20b@cal.sender.example"},
        {"h": "Content-Type : iSchedule-Version\t:ORIGINATOR:Recipient:Via:X-Absent"},
        {"l": str(len(letter().body))},
        {"z": "From:x"},
        {"unknown": "tag"},
        {"d": "SENDER.example"},
        {"s": "Cal1.2026"},
    ],
    ids=str,
)
def test_what_is_accepted(tags: dict[str, str | None]) -> None:
    message = with_tags(**tags)
    assert verified(message.fields, message.body) == ""


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"v": None}, "lacks v="),
        ({"v": "2"}, "v="),
        ({"a": None}, "lacks a="),
        ({"a": "rsa-sha1"}, "a="),
        ({"a": "ed25519-sha512"}, "a="),
        ({"c": None}, "lacks c="),
        ({"c": "relaxed/simple"}, "c="),
        ({"c": "ischedule-relaxed/relaxed"}, "c="),
        ({"d": None}, "lacks d="),
        ({"d": "example"}, "registered"),
        ({"d": "co.uk"}, "registered"),
        ({"d": "192.0.2.1"}, "d="),
        ({"d": "a b.example"}, "d="),
        ({"s": ""}, "lacks s="),
        ({"s": "a..b"}, "s="),
        ({"s": "../x"}, "s="),
        ({"q": "other/thing"}, "q="),
        ({"t": None}, "t="),
        ({"t": "soon"}, "t="),
        ({"t": "-1"}, "t="),
        ({"t": str(int(NOW) + 301), "x": str(int(NOW) + 900)}, "future"),
        ({"t": str(int(NOW) - 86401)}, "too old"),
        ({"t": str(int(NOW) - 3601), "x": None}, "too old"),
        ({"x": str(int(NOW) - 6), "t": str(int(NOW) - 500)}, "has expired"),
        ({"x": str(int(NOW))}, "before it was made"),
        ({"x": "x"}, "x="),
        ({"h": "content-type:ischedule-version:originator"}, "does not cover recipient"),
        ({"h": "ischedule-version:recipient"}, "does not cover content-type, originator"),
        ({"h": "content-type:ischedule-version:originator:recipient:Recipient"}, "twice"),
        ({"h": "content-type:ischedule-version:originator:recipient::"}, "h="),
        (
            {"h": ":".join(["content-type:ischedule-version:originator:recipient", *(f"x-{n}" for n in range(50))])},
            "h=",
        ),
        ({"i": "anna@other.example"}, "i="),
        ({"i": "@example"}, "i="),
        ({"i": "@notsender.example"}, "i="),
        ({"i": "sender.example"}, "i="),
        ({"l": "0"}, "a part of the body"),
        ({"l": str(len(letter().body) - 1)}, "a part of the body"),
        ({"bh": "?"}, "base64"),
        ({"z": "x" * 4096}, "too long"),
    ],
    ids=str,
)
def test_what_is_refused(tags: dict[str, str | None], words: str) -> None:
    message = with_tags(**tags)
    assert words in verified(message.fields, message.body)


def test_a_peer_may_be_excused_from_saying_when() -> None:
    message = with_tags(t=None, x=None)
    assert "t=" in verified(message.fields, message.body)
    assert verified(message.fields, message.body, policy=dkim.LENIENT) == ""


def test_one_signature_is_wanted() -> None:
    message = signed()
    value = dict(message.fields)["DKIM-Signature"]
    assert "not signed" in verified(letter().fields, message.body)
    twice = message.with_field("dkim-signature", value)
    assert "must be one" in verified(twice.fields, twice.body)


@pytest.mark.parametrize("value", ["", "v", "v=1; v=1", "=1", "v=1;; a=x", "1v=1", "b=x; c", "v=1\x00", "v=1\r\nX: y"])
def test_what_is_no_signature_at_all(value: str) -> None:
    message = letter().with_field("DKIM-Signature", value)
    assert verified(message.fields, message.body)


def test_a_signature_as_other_servers_write_it() -> None:
    """Folded with tabs, tags in another order, ``b=`` with blanks and a semicolon behind it."""
    folded = (
        "v=1; d=sender.example; s=cal1;\r\n\tt=1767225600; x=1767229200; a=ed25519-sha256;\r\n\t"
        "q=private-exchange:dns/txt; c=ischedule-relaxed/simple;\r\n\th=Originator:Recipient:\r\n\t "
        "Content-Type:iSchedule-Version;\r\n\tbh=BH;\r\n\tb="
    )
    message = resigned(folded)
    value = dict(message.fields)["DKIM-Signature"]
    assert verified(message.fields, message.body) == ""
    wrapped = changed(message.fields, "DKIM-Signature", value[:-20] + "\r\n\t " + value[-20:])
    assert verified(wrapped, message.body) == ""
    body_hash = dkim.parse_tags(value)["bh"]
    template = f"b=; {folded[: folded.index('bh=')]}bh={body_hash};"
    data = dkim.canonical_fields(
        letter().fields, ["originator", "recipient", "content-type", "ischedule-version"], template
    )
    made = b64encode(private_key().sign(sha256(data).digest())).decode()
    first = letter().with_field("DKIM-Signature", template.replace("b=;", f"b= {made} ;", 1))
    assert verified(first.fields, first.body) == ""


def test_a_signature_is_looked_at_without_the_key_first() -> None:
    signature = dkim.examine(signed().fields, now=NOW)
    assert dkim.wanted_keys(signature) == (dkim.KeyQuery(method="dns/txt", domain="sender.example", selector="cal1"),)
    several = dkim.examine(with_tags(q="http/well-known:dns/txt:x:private-exchange").fields, now=NOW)
    assert [each.method for each in dkim.wanted_keys(several)] == ["private-exchange", "dns/txt", "http/well-known"]
    without = dkim.Policy(methods=("dns/txt",))
    fewer = dkim.examine(with_tags(q="http/well-known:dns/txt").fields, now=NOW, policy=without)
    assert [each.method for each in dkim.wanted_keys(fewer)] == ["dns/txt"]


def test_how_long_a_signature_is_to_be_remembered() -> None:
    assert dkim.examine(signed().fields, now=NOW).valid_until() == NOW + 600
    assert dkim.examine(with_tags(x=None).fields, now=NOW).valid_until() == NOW + 3600
    assert dkim.examine(with_tags(x=str(int(NOW) + 10**6)).fields, now=NOW).valid_until() == NOW + 86400


@settings(max_examples=300)
@given(st.text(max_size=200))
def test_reading_never_breaks(text: str) -> None:
    for value in (text, f"v=1; {text}", ";".join(f"{name}={text}" for name in GOOD)):
        message = letter().with_field("DKIM-Signature", value)
        assert verified(message.fields, message.body)


def test_a_signature_says_nothing_for_another_key() -> None:
    message = signed()
    assert "not made with this key" in verified(message.fields, message.body, record("cal2"))
    assert verified(message.fields, message.body, record("cal2"), record("cal1")) == ""
    assert verified(message.fields, message.body, "rubbish", record("cal1")) == ""
    signature = dkim.examine(message.fields, now=NOW)
    assert dkim.verify(signature, message.fields, message.body, ()).reason == "there is no key"
    other = attrs.evolve(signature, signature=bytes(64))
    assert not dkim.verify(other, message.fields, message.body, (record(),)).valid
