"""What the configuration says of mail is used, or refused before anything is sent."""

from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor  # noqa: TID251 - that of pytest-twisted

from calserver.config import Config, ConfigError, Mail
from calserver.scheduling.mail import Mailer, rehearse, tokens
from ischedule.dkim import generate, private_text


def config(folder: Path, **options: Any) -> Config:
    return Config(mail=Mail(**({"address": "calendar@example.com"} | options)), source=folder / "calserver.toml")


def test_the_key_of_reply_addresses_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    first, again = tokens(config(tmp_path)), tokens(config(tmp_path))
    assert first == again
    assert (tmp_path / "mail-token.key").stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["mail-token.key"]
    other = tmp_path / "other"
    other.mkdir()
    assert tokens(config(other)) != first


@pytest.mark.parametrize(("content", "mode"), [("ab" * 32, 0o644), ("ab" * 8, 0o600), ("hello", 0o600), ("", 0o600)])
def test_a_key_that_others_can_read_or_guess_is_refused(tmp_path: Path, content: str, mode: int) -> None:
    path = tmp_path / "mail-token.key"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="token_key_file"):
        tokens(config(tmp_path))


WRONG: dict[str, dict[str, Any]] = {
    "password_file": {"user": "calendar"},
    "mail.password_file": {"user": "calendar", "password_file": "missing"},
    "on this machine only": {"server": "mail.example.com", "security": "none"},
    "mail.authorities_file": {"authorities_file": "missing"},
    "no certificate": {"authorities_file": "empty"},
    "needs dkim_selector": {"dkim": "file"},
    "mail.dkim_key_file": {"dkim": "file", "dkim_selector": "m1", "dkim_key_file": "missing"},
    "no RSA key": {"dkim": "file", "dkim_selector": "m1", "dkim_key_file": "ed25519.pem"},
    "no rsa key that signs": {"dkim": "keys"},
}


@pytest.mark.parametrize("problem", WRONG)
def test_what_cannot_be_used_is_refused_at_the_start(tmp_path: Path, problem: str) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "ed25519.pem").write_bytes(private_text(generate("ed25519")))
    with pytest.raises(ConfigError, match=problem):
        Mailer.of(config(tmp_path, **WRONG[problem]), tmp_path / "keys", reactor)


@pytest.mark.parametrize(
    "address", ["calendar", "a b@example.com", "x" * 21 + "@example.com", "a+b@example.com", "a@b..c"]
)
def test_an_address_without_room_for_more_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"mail\.address"):
        Config.parse(f"[mail]\naddress = {address!r}")


@ensureDeferred
async def test_without_an_address_no_mail_is_tried(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mail\.address: it is empty"):
        await rehearse(config(tmp_path, address=""), tmp_path, "bo@other.example", reactor)
    with pytest.raises(ConfigError, match="bo is no mail address"):
        await rehearse(config(tmp_path), tmp_path, "bo", reactor)
