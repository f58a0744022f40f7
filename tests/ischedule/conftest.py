"""Certificates and servers for tests of federation."""

from typing import Any

import pytest
import pytest_twisted
from certificates import Authority
from twisted.internet import reactor  # noqa: TID251 - tests hand it on
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.internet.protocol import Factory


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest_twisted.async_yield_fixture()
async def listen(authority: Authority) -> Any:
    """Start a server with TLS: a factory and the names in its certificate give the port."""
    ports = []

    async def start(factory: Factory, *names: str, options: Any = None) -> int:
        endpoint = SSL4ServerEndpoint(reactor, 0, options or authority.options(*names), interface="127.0.0.1")
        ports.append(await endpoint.listen(factory))
        return ports[-1].getHost().port

    yield start
    for port in ports:
        await port.stopListening()
