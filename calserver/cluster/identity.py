"""Who this node is, and whom it believes: keys of the configuration."""

import binascii
from base64 import b64decode

import attrs
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from calserver.config import Config, ConfigError
from ischedule.dkim import load_private_key


@attrs.frozen(kw_only=True)
class Identity:
    """A node among others."""

    name: str
    key: Ed25519PrivateKey
    others: dict[str, Ed25519PublicKey]
    """The keys of the other nodes."""

    @property
    def all(self) -> dict[str, Ed25519PublicKey]:
        """The keys of all nodes: what is at several nodes a node asks itself for, too."""
        return {**self.others, self.name: self.key.public_key()}

    @classmethod
    def of(cls, config: Config) -> "Identity":
        """Read the keys.

        Raises:
            ConfigError: some of them are none, or this node has another one than the others believe.
        """
        cluster = config.cluster
        try:
            key = load_private_key(config.path(cluster.key_file).read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigError(f"cluster.key_file: {error} (calserver cluster key makes one)") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError("cluster.key_file: the key is not one of Ed25519")
        found = {name: _public(each.key) for name, each in cluster.nodes.items()}
        known = {name: each for name, each in found.items() if each is not None}
        wrong = [f"cluster.nodes.{name}.key: this is not a public key of Ed25519" for name in found.keys() - known]
        if known.pop(cluster.node, key.public_key()) != key.public_key():
            wrong.append(f"cluster.nodes.{cluster.node}.key: this is not the key in cluster.key_file")
        if wrong:
            raise ConfigError(*sorted(wrong))
        return cls(name=cluster.node, key=key, others=known)


def _public(text: str) -> Ed25519PublicKey | None:
    try:
        return Ed25519PublicKey.from_public_bytes(b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return None
