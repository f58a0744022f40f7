"""Make the directory of a server: configuration, keys, store."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import attrs

from calserver.admin import database, keys
from calserver.admin.refused import Refused
from calserver.config import Config, sample

CONFIG_NAME = "calserver.toml"
NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Installation:
    """What `install` made."""

    folder: Path
    config: Path
    signing_key: Path
    store_url: str


def install(
    folder: Path,
    *,
    listen: Sequence[str] = (),
    admin_listen: Sequence[str] = (),
    domain: str | None = None,
    further: Mapping[str, object] = NOTHING,
) -> Installation:
    """Make a directory with a configuration, a signing key and an empty store, readable for its owner only.

    Args:
        folder: the directory; it must not exist, or be empty.
        listen: Twisted endpoint strings; the default of the configuration where there are none.
        admin_listen: the same for the administration port.
        domain: the mail domain of principals without an address of their own.
        further: other options, by path (``ischedule.enabled``). Tables that the store has already stay.

    Raises:
        Refused: there is something in `folder`, or the database cannot be used; nothing was made.
        ConfigError: an option is wrong; nothing was made.
    """
    given = {"server.listen": list(listen), "server.admin_listen": list(admin_listen), "calendars.domain": domain}
    text = sample({option: value for option, value in given.items() if value} | dict(further))
    path = folder / CONFIG_NAME
    database.check(Config.parse(text, source=path))
    _make_empty(folder)
    _write_private(path, text.encode())
    config = Config.load(path)
    key = keys.generate(config)
    database.upgrade(config)
    signing_key = keys.ring(config).folder / f"{key.selector}.pem"
    return Installation(folder=folder, config=path, signing_key=signing_key, store_url=config.shown_store_url)


def _make_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise Refused(f"{folder} exists and is not a directory")
    if folder.is_dir() and any(folder.iterdir()):
        raise Refused(f"{folder} is not empty; nothing was changed")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


def _write_private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
