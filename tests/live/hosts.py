"""Hosts for tests: network namespaces of Linux joined by a bridge, each with an address of its own.

The namespaces have no names: each is there as long as this process, or one that it has started in it, and vanishes
then with its addresses and links. Whatever ends the tests, nothing is left on the machine. A thread enters a namespace
by itself (setns(2)), and what it opens or starts there - sockets, processes - stays there.
"""

import ctypes
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import pytest

NETWORK: Final = "10.77.0."
"""No other one on this machine is reached from inside, so that it does not matter whether there is the same."""
_NEW_NETWORK: Final = 0x40000000
_MINE: Final = "/proc/thread-self/ns/net"
_libc: Final = ctypes.CDLL(None, use_errno=True)

WITH_NAMES: Final = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
"""Runs a command that finds names where another file than the machine's says; nobody else sees that."""


def skip_where_there_are_none() -> None:
    """Skip a test where no network namespaces can be made: that is for root, on a Linux that lets it."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces are made by root")
    try:
        Namespace().close()
    except OSError as error:
        pytest.skip(f"network namespaces cannot be made here: {error}")


class Namespace:
    """A network namespace.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self) -> None:
        made: list[int | OSError] = []

        def make() -> None:
            try:
                _called(_libc.unshare(_NEW_NETWORK))
                made.append(os.open(_MINE, os.O_RDONLY | os.O_CLOEXEC))
            except OSError as error:
                made.append(error)

        thread = threading.Thread(target=make)  # whoever makes one is in it
        thread.start()
        thread.join()
        if isinstance(made[0], OSError):
            raise made[0]
        self._descriptor = made[0]

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Be there, with this thread and what it starts."""
        before = os.open(_MINE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _called(_libc.setns(self._descriptor, _NEW_NETWORK))
            yield
        finally:
            _called(_libc.setns(before, _NEW_NETWORK))
            os.close(before)

    def ip(self, *arguments: str) -> None:
        """Run ip(8) there."""
        with self.inside():
            subprocess.run(["ip", *arguments], check=True, pass_fds=[self._descriptor], timeout=20)

    @property
    def path(self) -> str:
        """What ip(8), run here, may call it."""
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    def close(self) -> None:
        """Leave it to whoever is in it."""
        os.close(self._descriptor)


class Host(Namespace):
    """A host in a network.

    Args:
        name: its name.
        address: its IP address.
        names: a file like resolv.conf(5), where its programs look names up.
    """

    def __init__(self, name: str, address: str, names: Path) -> None:
        super().__init__()
        self.name, self.address = name, address
        self.prefix = ("unshare", "--mount", "sh", "-c", WITH_NAMES, str(names))
        """What a command begins with that looks up names; to be run inside."""

    def run(self, *command: str) -> str:
        """Run a command there that must succeed; returns what it prints."""
        with self.inside():
            done = subprocess.run(
                [*self.prefix, *command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
            )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}{done.stdout}"
        return done.stdout


class Network:
    """Hosts on one network, as a context manager.

    Args:
        names: of the hosts.
        resolver: the one among them that has a name server.
        folder: an empty folder for its files.
    """

    def __init__(self, names: list[str], resolver: str, folder: Path) -> None:
        self._switch = Namespace()
        self._switch.ip("link", "add", "bridge", "type", "bridge")
        self._switch.ip("link", "set", "bridge", "up")
        addresses = {name: f"{NETWORK}{number}" for number, name in enumerate(names, 10)}
        configuration = folder / "resolv.conf"
        configuration.write_text(f"nameserver {addresses[resolver]}\noptions timeout:1 attempts:2\n")
        self.hosts = {name: Host(name, address, configuration) for name, address in addresses.items()}
        for host in self.hosts.values():
            plug = f"to-{host.name}"
            peer = ("peer", "name", "eth0", "netns", host.path)
            self._switch.ip("link", "add", plug, "type", "veth", *peer)
            self._switch.ip("link", "set", plug, "master", "bridge", "up")
            host.ip("link", "set", "lo", "up")
            host.ip("address", "add", f"{host.address}/24", "dev", "eth0")
            host.ip("link", "set", "eth0", "up")

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def cut(self, name: str) -> None:
        """Pull the plug of a host: nothing reaches it or leaves it, and nobody is told."""
        self._switch.ip("link", "set", f"to-{name}", "down")

    def mend(self, name: str) -> None:
        """Put it in again."""
        self._switch.ip("link", "set", f"to-{name}", "up")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for each in (*self.hosts.values(), self._switch):
            each.close()


def _called(status: int) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
