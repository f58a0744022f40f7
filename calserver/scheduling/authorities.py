"""Certificates of authorities that are believed, where the configuration names them."""

from collections.abc import Sequence

from twisted.internet.ssl import Certificate

from calserver.config import Config, ConfigError

_BEGIN = b"-----BEGIN CERTIFICATE-----"


def authorities(config: Config, option: str, name: str) -> Sequence[Certificate]:
    """The certificates in a file; none where no file is named.

    Args:
        config: knows where relative paths start.
        option: what names the file, for error messages.
        name: of the file; empty for none.

    Raises:
        ConfigError: it is not usable.
    """
    if not name:
        return ()
    try:
        text = config.path(name).read_bytes()
        return [Certificate.loadPEM(_BEGIN + each) for each in text.split(_BEGIN)[1:]]
    except Exception as error:  # noqa: BLE001 - OpenSSL has exceptions of its own
        raise ConfigError(f"{option}: {error}") from None
