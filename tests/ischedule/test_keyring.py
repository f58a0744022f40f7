"""Keys from their making to their end."""

import json
import stat
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from ischedule.keyring import UNTIL_DONE, UNTIL_FORGOTTEN, UNTIL_KNOWN, Algorithm, KeyRefused, KeyRing

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "keys")


def states(ring: KeyRing) -> dict[str, str]:
    return {key.selector: key.state for key in ring.keys}


def test_the_first_key_signs_at_once(ring: KeyRing) -> None:
    key = ring.generate(NOW)
    assert (key.selector, key.algorithm, key.state) == ("cal1", "rsa", "signing")
    assert ring.signing_key() == key
    private = ring.private_key("cal1")
    assert isinstance(private, rsa.RSAPrivateKey)
    assert private.key_size == 2048


def test_files_are_for_their_owner_only(ring: KeyRing) -> None:
    ring.generate(NOW)
    assert stat.S_IMODE(ring.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in ring.folder.iterdir()} == {0o600}
    (ring.folder / "cal1.pem").chmod(0o644)
    with pytest.raises(KeyRefused, match="others can read"):
        KeyRing(ring.folder).private_key("cal1")


def test_records_hold_the_public_key(ring: KeyRing) -> None:
    """RFC 6376 section 3.6.1 and RFC 8463 section 4."""
    one, two = ring.generate(NOW), ring.generate(NOW, "ed25519")
    start, _, text = one.record().partition("p=")
    assert start == "v=DKIM1; k=rsa; s=ischedule; "
    private, short = ring.private_key(one.selector), ring.private_key(two.selector)
    assert load_der_public_key(b64decode(text)) == private.public_key()
    assert isinstance(short, ed25519.Ed25519PrivateKey)
    start, _, text = two.record("*").partition("p=")
    assert start == "v=DKIM1; k=ed25519; "
    assert b64decode(text) == short.public_key().public_bytes_raw()


def test_a_rotation_loses_nothing(ring: KeyRing) -> None:
    ring.generate(NOW)
    ring.published(NOW)
    assert ring.rotate(NOW).selector == "cal2"
    assert ring.signing_key().selector == "cal1"
    with pytest.raises(KeyRefused, match="has to be published first"):
        ring.rotate(NOW)
    assert [key.selector for key in ring.published(NOW)] == ["cal2"]
    with pytest.raises(KeyRefused, match="2026-03-01 13:00 UTC"):
        ring.rotate(NOW + UNTIL_KNOWN - timedelta(seconds=1))
    then = NOW + UNTIL_KNOWN
    assert ring.rotate(then).state == "signing"
    assert states(ring) == {"cal1": "replaced", "cal2": "signing"}
    assert ring.signing_key().selector == "cal2"
    assert [key.selector for key in ring.to_publish(then)] == ["cal1", "cal2"]
    with pytest.raises(KeyRefused, match="may be under way"):
        ring.retire("cal1", then + UNTIL_DONE - timedelta(seconds=1))
    gone = ring.retire("cal1", then + UNTIL_DONE)
    assert gone.record() == "v=DKIM1; k=rsa; s=ischedule; p="
    assert not (ring.folder / "cal1.pem").exists()
    assert [key.selector for key in ring.to_publish(then + UNTIL_DONE + UNTIL_FORGOTTEN)] == ["cal2"]


def test_who_is_in_a_hurry(ring: KeyRing) -> None:
    ring.generate(NOW)
    ring.rotate(NOW)
    assert ring.rotate(NOW, force=True).selector == "cal2"
    ring.retire("cal1", NOW, force=True)
    assert states(ring) == {"cal1": "retired", "cal2": "signing"}


def test_what_is_refused(ring: KeyRing) -> None:
    with pytest.raises(KeyRefused, match="there is no key that signs"):
        ring.signing_key()
    ring.generate(NOW)
    for selector in ("", "a b", "../x", "UP", "-x"):
        with pytest.raises(KeyRefused, match="not a selector"):
            ring.generate(NOW, selector=selector)
    with pytest.raises(KeyRefused, match="already"):
        ring.generate(NOW, selector="cal1")
    with pytest.raises(KeyRefused, match="rotate to another"):
        ring.retire("cal1", NOW, force=True)
    with pytest.raises(KeyRefused, match="no key cal9"):
        ring.retire("cal9", NOW)
    with pytest.raises(KeyRefused, match="no ed25519 key"):
        ring.signing_key("ed25519")
    with pytest.raises(KeyRefused, match="no private key"):
        ring.private_key("cal9")
    assert states(ring) == {"cal1": "signing"}


def test_two_algorithms_sign_side_by_side(ring: KeyRing) -> None:
    ring.generate(NOW)
    ring.generate(NOW, "ed25519", "short")
    ring.rotate(NOW, "ed25519", force=True)
    assert states(ring) == {"cal1": "signing", "short": "signing"}
    assert ring.signing_key().selector == "cal1"
    assert ring.signing_key("ed25519").selector == "short"


def test_another_process_sees_what_was_changed(ring: KeyRing) -> None:
    ring.generate(NOW)
    running = KeyRing(ring.folder)
    assert running.signing_key().selector == "cal1"
    ring.rotate(NOW)
    ring.rotate(NOW, force=True)
    assert running.signing_key().selector == "cal2"
    assert running.private_key("cal2").public_key() == ring.private_key("cal2").public_key()


def test_a_file_that_was_damaged_is_named(ring: KeyRing) -> None:
    ring.generate(NOW)
    (ring.folder / "cal1.pem").write_text("nonsense")
    with pytest.raises(KeyRefused, match="holds no private key"):
        ring.private_key("cal1")
    for text in ("nonsense", "{}", json.dumps({"keys": [{"selector": "x"}]})):
        (ring.folder / "keys.json").write_text(text)
        with pytest.raises(KeyRefused, match="cannot be read"):
            _ = KeyRing(ring.folder).keys


ACTS = st.lists(
    st.tuples(st.sampled_from(["generate", "published", "rotate", "retire"]), st.integers(0, 30)), max_size=25
)


@settings(max_examples=40)
@given(ACTS, st.booleans())
def test_whatever_is_done_what_was_signed_can_be_verified(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, int]], force: bool
) -> None:
    """One key signs, its record is to be published, and those that signed lately are, too."""
    ring, now = KeyRing(tmp_path_factory.mktemp("ring") / "keys"), NOW
    algorithm: Algorithm = "ed25519"
    ring.generate(now, algorithm)
    for act, hours in acts:
        now += timedelta(hours=hours)
        try:
            if act == "generate":
                ring.generate(now, algorithm)
            elif act == "published":
                ring.published(now)
            elif act == "rotate":
                ring.rotate(now, algorithm, force=force)
            else:
                ring.retire(ring.keys[hours % len(ring.keys)].selector, now)
        except KeyRefused:
            pass
        signing = [key for key in ring.keys if key.state == "signing"]
        assert [key.selector for key in signing] == [ring.signing_key().selector]
        valid = {key.selector for key in ring.to_publish(now) if key.retired is None}
        assert signing[0].selector in valid
        assert {key.selector for key in ring.keys if key.replaced and now - key.replaced < UNTIL_DONE} <= valid
        for key in ring.keys:
            assert (ring.folder / f"{key.selector}.pem").exists() == (key.retired is None)
