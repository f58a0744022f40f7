"""Real name servers of Debian for tests: processes of our own, on ports of their own of loopback unless told."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

START_SECONDS = 20.0
HEAD = """$ORIGIN {origin}.
$TTL {ttl}
@ SOA ns hostmaster {serial} 3600 600 86400 {negative}
@ NS ns
ns A 127.0.0.1
"""


def zone(origin: str, *records: str, serial: int = 1, ttl: int = 300, negative: int = 120) -> str:
    """A zone file: lines of records below what every zone has."""
    return HEAD.format(origin=origin, serial=serial, ttl=ttl, negative=negative) + "\n".join(records) + "\n"


def free_port() -> int:
    """A port of 127.0.0.1 that is free for UDP and TCP."""
    while True:
        with socket.socket(type=socket.SOCK_DGRAM) as datagrams, socket.socket() as stream:
            datagrams.bind(("127.0.0.1", 0))
            try:
                stream.bind(datagrams.getsockname())
            except OSError:
                continue
            return int(datagrams.getsockname()[1])


class _Server:
    """A process that answers on `port` of `address`; a free one of loopback unless told."""

    def __init__(self, folder: Path, address: str = "127.0.0.1", port: int | None = None) -> None:
        self.folder, self.address = folder, address
        self.port = free_port() if port is None else port
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, name: str, kind: str, seconds: float = 0.5) -> dns.message.Message:
        query = dns.message.make_query(name, kind)
        return dns.query.udp(query, self.address, timeout=seconds, port=self.port)

    def _run(self, *command: str, probe: str) -> None:
        log = (self.folder / "log.txt").open("wb")
        with log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, start_new_session=True)
        self._until(lambda: self.ask(probe, "SOA") is not None)

    def _until(self, happens: object) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            assert self._process is not None
            assert self._process.poll() is None, (self.folder / "log.txt").read_text()
            try:
                if happens():  # type: ignore[operator]
                    return
            except (dns.exception.DNSException, OSError):
                pass
            time.sleep(0.02)
        raise AssertionError(f"it does not answer: {(self.folder / 'log.txt').read_text()}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self.stop()


def _working(pid: int) -> set[int]:
    """The processes below a process that have none below themselves: those that answer."""
    try:
        children = {int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except OSError:
        return set()
    return set().union(*map(_working, children)) if children else {pid}


class Nsd(_Server):
    """NSD: an authoritative server, which knows its zones and nothing else."""

    def __init__(
        self, program: str, folder: Path, zones: Mapping[str, str], address: str = "127.0.0.1", port: int | None = None
    ) -> None:
        super().__init__(folder, address, port)
        lines = [
            "server:",
            f"  ip-address: {self.address}@{self.port}",
            f'  zonesdir: "{folder}"',
            '  username: ""',
            f'  pidfile: "{folder}/nsd.pid"',
            f'  xfrdfile: "{folder}/xfrd.state"',
            f'  zonelistfile: "{folder}/zone.list"',
            '  database: ""',
            "  server-count: 1",
            "  refuse-any: no",
            "  rrl-ratelimit: 0",
            "remote-control:",
            "  control-enable: no",
        ]
        for origin, text in zones.items():
            (folder / f"{origin}.zone").write_text(text)
            lines += ["zone:", f"  name: {origin}", f"  zonefile: {origin}.zone"]
        (folder / "nsd.conf").write_text("\n".join(lines) + "\n")
        self._command = (program, "-d", "-c", str(folder / "nsd.conf"))
        self._probe = next(iter(zones))
        self.start()

    def start(self) -> None:
        """Start it again, after it was stopped or killed."""
        self._run(*self._command, probe=self._probe)

    def kill(self) -> None:
        """Kill -9, with the processes that it has started."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def publish(self, origin: str, text: str) -> None:
        """Serve another zone from now on; its serial number must be another one."""
        path = self.folder / f"{origin}.zone"
        path.write_text(text)
        found = re.search(r"SOA \S+ \S+ (\d+)", text)
        assert found
        process = self._process
        assert process is not None
        before = _working(process.pid)
        process.send_signal(signal.SIGHUP)
        self._until(lambda: f" {found[1]} " in str(self.ask(origin, "SOA").answer[0]))
        self._until(lambda: not before & _working(process.pid))  # they serve what was before until they end


class Named(_Server):
    """BIND: a resolver that asks one authoritative server about some zones, and validates those with a key."""

    def __init__(self, program: str, folder: Path, upstream: int, origins: list[str], anchors: str = "") -> None:
        super().__init__(folder)
        zones = "".join(
            f'zone "{each}" {{ type forward; forward only; forwarders {{ 127.0.0.1 port {upstream}; }}; }};\n'
            for each in origins
        )
        (folder / "named.conf").write_text(
            f"""options {{
              directory "{folder}"; pid-file "{folder}/named.pid"; session-keyfile "{folder}/session.key";
              listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
              recursion yes; empty-zones-enable no; dnssec-validation {"yes" if anchors else "no"};
              managed-keys-directory "{folder}"; max-cache-size 8m; qname-minimization off;
            }};
            controls {{ }};
            {f"trust-anchors {{ {anchors} }};" if anchors else ""}
            {zones}"""
        )
        self._run(program, "-g", "-n", "1", "-c", str(folder / "named.conf"), probe=origins[0])
