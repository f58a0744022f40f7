"""A whole server in this process, on sockets of its own."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor  # noqa: TID251 - tests hand it on
from wire import Answer, Wire, connect, request

from calserver.auth import hash_password
from calserver.calendars import provision
from calserver.config import Config
from calserver.directory import accounts
from calserver.service import Daemon
from calserver.store import Store, Transaction, open_store

AUTHORIZATION = "Authorization: Basic YW5uOmdlaGVpbQ=="
"""ann:geheim"""


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and its certificate in one file, for localhost and for today."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture(scope="session")
def populated(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two users."""
    path = tmp_path_factory.mktemp("populated") / "calserver.sqlite"
    shutil.copy(empty_database, path)
    store = open_store(f"sqlite:///{path}", reactor=None)
    settings = Config().calendars

    def people(txn: Transaction) -> None:
        for uid in ("ann", "bob"):
            accounts.create(
                txn,
                uid,
                provision=lambda txn, principal: provision(txn, principal, settings),
                password_hash=hash_password("geheim"),
                addresses=(f"{uid}@example.com",),
            )

    store.write_now(people)
    store.close()
    return path


@attrs.define
class House:
    """A running server."""

    daemon: Daemon
    folder: Path
    wires: list[Wire] = attrs.field(factory=list)

    def port(self, index: int = 0) -> int:
        return int(self.daemon.addresses[index].port)

    async def connect(self, index: int = 0, **options: Any) -> Wire:
        wire = await connect(self.port(index), **options)
        self.wires.append(wire)
        return wire

    async def ask(self, method: str, path: str, *fields: str, body: bytes = b"", index: int = 0) -> Answer:
        """One request on a connection of its own, authenticated unless the fields say otherwise."""
        if not any(each.lower().startswith("authorization") for each in fields):
            fields = (AUTHORIZATION, *fields)
        wire = await self.connect(index)
        return await wire.ask(request(method, path, *fields, body=body))

    def store(self) -> Store:
        """The store beside the running server, as the command line opens it."""
        return open_store(self.daemon.config.store_url, reactor=None)


@pytest_twisted.async_yield_fixture()
async def start(populated: Path, tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[House]]]:
    """Starts a server with the text of a configuration; it is stopped behind the test."""
    houses: list[House] = []

    async def begin(text: str = "", listen: tuple[str, ...] = ("tcp:0:interface=127.0.0.1",)) -> House:
        shutil.copy(populated, tmp_path / "calserver.sqlite")
        path = tmp_path / "calserver.toml"
        path.write_text(text)
        config = Config.load(path)
        server = attrs.evolve(config.server, listen=listen, admin_listen=("tcp:0:interface=127.0.0.1",))
        daemon = Daemon(attrs.evolve(config, server=server), reactor)
        daemon.startService()
        houses.append(House(daemon, tmp_path))
        return houses[-1]

    yield begin
    for house in houses:
        for wire in house.wires:
            wire.close()
            await wire.until_closed()
        await house.daemon.stopService()


@pytest_twisted.async_yield_fixture()
async def house(start: Callable[..., Awaitable[House]]) -> AsyncIterator[House]:
    yield await start()
