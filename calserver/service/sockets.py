"""Listening sockets that processes share: one binds them, others take connections from them.

Endpoint strings are for reactors: whatever endpoint it is - plain, TLS, behind a balancer's PROXY protocol - at last it
asks the reactor to listen. So an endpoint is given something that looks like a reactor: `Kept` binds the socket and
does not read from it, `Inherited` listens on the socket that was bound for the same endpoint. As long as the process
that binds them lives, connections wait in the kernel, whoever comes and goes to take them.
"""

import re
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure


class CannotListen(Exception):
    """An endpoint cannot be listened on; says why, in words."""


def listen(reactor: Any, endpoint: str, factory: IProtocolFactory, path: Callable[[str], Path]) -> list[IListeningPort]:
    """Listen on an endpoint.

    Args:
        reactor: or what looks like one.
        endpoint: as the configuration spells it.
        factory: who takes connections.
        path: resolves relative paths.

    Returns:
        The port; none where that takes longer.

    Raises:
        CannotListen: it is taken, or not to be had, or no endpoint at all.
    """
    failures: list[Failure] = []
    ports: list[IListeningPort] = []
    try:
        listening = serverFromString(reactor, located(endpoint, path)).listen(factory)
        listening.addCallbacks(ports.append, failures.append)
    except (ValueError, TypeError, OSError) as error:  # what endpoint parsers raise, each in its own way
        raise CannotListen(f"cannot listen on {endpoint}: {error}") from error
    if failures:
        raise CannotListen(f"cannot listen on {endpoint}: {failures[0].getErrorMessage()}")
    return ports


def located(endpoint: str, path: Callable[[str], Path]) -> str:
    """An endpoint string whose relative paths start at the folder of the configuration."""
    return re.sub(
        r"(\b(?:privateKey|certKey|extraCertChain|dhParameters|address)=|\bunix:)(?![a-z]+=|/)([^:]+)",
        lambda found: found[1] + str(path(found[2])).replace(":", r"\:"),
        endpoint,
    )


class _Nobody(Factory):
    """Takes no connections."""

    noisy = False


class Kept:
    """Binds sockets for others: a reactor, as far as server endpoints know.

    Args:
        reactor: the real one.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.ports: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(self, *arguments: Any, **named: Any) -> Any:
        """Bind."""
        return self._keep(self._reactor.listenTCP(*arguments, **named))

    def listenSSL(self, port: int, factory: Any, contextFactory: Any, *arguments: Any, **named: Any) -> Any:
        """Bind; what is said on the connections is the business of others."""
        return self.listenTCP(port, factory, *arguments, **named)

    def listenUNIX(self, *arguments: Any, **named: Any) -> Any:
        """Bind, and make the file."""
        return self._keep(self._reactor.listenUNIX(*arguments, **named))

    def adoptStreamPort(self, *arguments: Any, **named: Any) -> Any:
        """What systemd has bound it gives to one process."""
        raise ValueError("sockets of systemd are for one process: server.workers = 1")

    def _keep(self, port: Any) -> Any:
        port.stopReading()
        self.ports.append(port)
        return port


class Sockets:
    """The sockets of endpoints, bound by this process and read by others.

    Args:
        reactor: the reactor.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._ports: dict[str, list[Any]] = {}

    def bind(self, endpoints: Sequence[str], path: Callable[[str], Path]) -> None:
        """Bind those that are not bound yet: all of them, or none.

        Raises:
            CannotListen: it could not be done.
        """
        bound: dict[str, list[Any]] = {}
        try:
            for endpoint in endpoints:
                if endpoint not in self._ports:
                    kept = Kept(self._reactor)
                    listen(kept, endpoint, _Nobody(), path)
                    bound[endpoint] = kept.ports
        except CannotListen:
            for port in (each for ports in bound.values() for each in ports):
                port.stopListening()
            raise
        self._ports |= bound

    async def keep_only(self, endpoints: Sequence[str]) -> None:
        """Close all others."""
        for endpoint in [each for each in self._ports if each not in endpoints]:
            for port in self._ports.pop(endpoint):
                await maybeDeferred(port.stopListening)

    def descriptors(self, endpoints: Sequence[str]) -> Mapping[str, list[int]]:
        """Their sockets."""
        return {each: [port.fileno() for port in self._ports[each]] for each in endpoints}

    @property
    def addresses(self) -> Sequence[Any]:
        """Where they are bound, in the order in which that was asked for."""
        return [port.getHost() for ports in self._ports.values() for port in ports]


class _OneAtATime:
    """A port that leaves the socket as it is when it ends, and takes one connection and lets others have the next."""

    _shouldShutdown = False
    numberAccepts: int

    def doRead(self) -> None:
        """Take a connection, if no other process was faster."""
        self.numberAccepts = 1
        super().doRead()  # type: ignore[misc] # it is mixed into ports


class _TcpPort(_OneAtATime, tcp.Port):
    pass


class _UnixPort(_OneAtATime, unix.Port):
    """The parent's method would change the mode of the file, and remove it at the end."""

    def startListening(self) -> None:
        factory: Any = self.factory
        factory.doStart()
        inherited: Any = self._preexistingSocket
        self.socket, self._preexistingSocket = inherited, None
        self.fileno = inherited.fileno  # type: ignore[method-assign] # so the parent does
        self.connected = True
        self.startReading()

    def connectionLost(self, reason: Any) -> None:
        tcp.Port.connectionLost(self, reason)


class Inherited:
    """Listens on sockets that another process has bound: a reactor, as far as the endpoint knows.

    Args:
        reactor: the real one.
        descriptors: of the sockets, in the order in which the endpoint asks to listen.
    """

    def __init__(self, reactor: Any, descriptors: Sequence[int]) -> None:
        self._reactor = reactor
        self._descriptors = list(descriptors)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Listen."""
        return self._adopt(factory)

    def listenSSL(self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Listen, and speak TLS."""
        return self._adopt(TLSMemoryBIOFactory(contextFactory, False, factory))

    def listenUNIX(self, address: str, factory: Any, backlog: int = 50, mode: int = 0o666, wantPID: int = 0) -> Any:
        """Listen."""
        return self._adopt(factory)

    def _adopt(self, factory: Any) -> Any:
        descriptor = self._descriptors.pop(0)
        with socket.socket(fileno=descriptor) as inherited:  # closed at the end: the port has a copy
            family = inherited.family
            kind: Any = _UnixPort if family == socket.AF_UNIX else _TcpPort
            arguments = (factory,) if family == socket.AF_UNIX else (family, factory)
            port = kind._fromListeningDescriptor(self._reactor, descriptor, *arguments)
        port.startListening()
        return port
