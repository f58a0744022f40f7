"""Identities between nodes: good for one request, to one node, for a minute."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from calserver.cluster.assertion import LONGEST, SCHEME, SECONDS, Assertion, NotBelieved, believed, signed

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
KEYS = {"f1": KEY.public_key(), "f2": OTHER.public_key()}
NOW = 1_800_000_000
TARGET = "/dav/calendars/user/ann/Default/a.ics?x=1"

texts = st.text(st.characters(codec="utf-8"), max_size=40)


def said(**more: Any) -> Assertion:
    given: dict[str, Any] = {"node": "f1", "audience": "b1", "kind": "user", "uid": "ann", "at": NOW}
    return Assertion(**(given | more))


def field(assertion: Assertion | None = None, *, method: str = "PUT", target: str = TARGET) -> str:
    return signed(assertion or said(), KEY, method=method, target=target)


def read(text: str, *, now: float = NOW, **more: Any) -> Assertion:
    given: dict[str, Any] = {"audience": "b1", "method": "PUT", "target": TARGET}
    return believed(text, KEYS, now=now, **(given | more))


@given(kind=texts, uid=texts, host=texts, address=texts, request_id=texts, secure=st.booleans(), at=st.integers())
def test_what_was_said_is_what_is_read(**facts: Any) -> None:
    assertion = said(**facts)
    assert read(field(assertion), now=assertion.at) == assertion


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "DELETE"},
        {"method": "put"},
        {"target": TARGET + "/"},
        {"target": "/dav/calendars/user/bob/Default/a.ics?x=1"},
        {"target": TARGET.replace("?x=1", "")},
        {"audience": "b2"},
        {"audience": ""},
    ],
)
def test_it_is_for_one_request_to_one_node(changed: Mapping[str, str]) -> None:
    text = field()
    read(text)
    with pytest.raises(NotBelieved):
        read(text, **changed)


def test_method_and_target_cannot_be_shifted_into_one_another() -> None:
    text = field(method="PUT\n/a", target="/b")
    with pytest.raises(NotBelieved):
        read(text, method="PUT", target="/b")


@pytest.mark.parametrize("seconds", [SECONDS, -SECONDS])
def test_it_holds_as_long_as_clocks_may_disagree(seconds: int) -> None:
    read(field(), now=NOW + seconds)
    with pytest.raises(NotBelieved, match="clocks"):
        read(field(), now=NOW + seconds + (1 if seconds > 0 else -1))


def test_who_is_no_node_is_not_believed() -> None:
    with pytest.raises(NotBelieved, match="no such node"):
        read(field(said(node="client")))
    with pytest.raises(NotBelieved, match="signature"):
        read(field(said(node="f2")))
    with pytest.raises(NotBelieved):
        believed(field(), {}, audience="b1", method="PUT", target=TARGET, now=NOW)


@given(st.data())
def test_no_character_of_it_can_be_changed(data: st.DataObject) -> None:
    text = field()
    at = data.draw(st.integers(0, len(text) - 1))
    new = data.draw(st.characters(max_codepoint=0x2FF).filter(lambda each: each != text[at]))
    with pytest.raises(NotBelieved):
        read(text[:at] + new + text[at + 1 :])


@given(st.data())
def test_no_part_of_it_is_enough(data: st.DataObject) -> None:
    text = field()
    with pytest.raises(NotBelieved):
        read(text[: data.draw(st.integers(0, len(text) - 1))])
    with pytest.raises(NotBelieved):
        read(text + data.draw(st.text(min_size=1, max_size=3)))


@given(st.text(max_size=200))
def test_any_text_is_refused_in_an_orderly_way(text: str) -> None:
    for each in (text, f"{SCHEME} {text}", f"{SCHEME} {text}.{text}"):
        with pytest.raises(NotBelieved):
            read(each)


def forged(payload: object) -> str:
    text = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()
    return f"{SCHEME} {text}.{'A' * 86}"


facts = attrs.asdict(said())


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "f1",
        {},
        facts | {"more": 1},
        {name: value for name, value in facts.items() if name != "nonce"},
        facts | {"at": True},
        facts | {"at": "now"},
        facts | {"at": 1e999},
        facts | {"node": ["f1"]},
        facts | {"node": {}},
        facts | {"secure": 1},
    ],
)
def test_a_payload_of_another_shape_is_refused(payload: object) -> None:
    with pytest.raises(NotBelieved, match="malformed"):
        read(forged(payload))


def test_deep_and_long_payloads_are_refused() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 3000).rstrip(b"=").decode()
    for text in (f"{SCHEME} {deep[:3900]}.AAAA", forged(facts | {"uid": "x" * LONGEST})):
        with pytest.raises(NotBelieved, match="malformed"):
            read(text)
