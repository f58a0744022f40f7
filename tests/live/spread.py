"""A cluster on hosts of its own: two front ends, two back ends over a PostgreSQL with a standby, and a name server."""

import os
import random
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Self

from certificates import Authority
from daemon import CALSERVER
from diaries import Diaries
from hosts import Host, Network
from murder import join
from nameservers import Nsd, zone
from postgresql import FAST, OWNER, Cluster
from roaming import Roamer

from calserver.admin.cluster import key
from calserver.config import Config

NODES: Final = {"f1": "frontend", "f2": "frontend", "b1": "backend", "b2": "backend"}
HOSTS: Final = (*NODES, "db1", "db2", "ns", "client")
PORT, SECURE_PORT, ADMIN_PORT = 8008, 8443, 8009
AT_B1, AT_B2 = ("ann", "carol", "wes"), ("bob", "dora", "wil")
"""New people are placed where the fewest are: in turn."""


class Node(Diaries):
    """A node on a host; the other nodes reach it by TLS.

    Args:
        host: it.
        folder: where its directory is to be.
        authority: issues its certificate.
        store: the URL of its store; SQLite where it is empty.
    """

    def __init__(self, host: Host, folder: Path, authority: Authority, store: str) -> None:
        super().__init__(folder / host.name, "")
        self.host, self.prefix = host, host.prefix
        self.port, self.admin_port = PORT, ADMIN_PORT
        self.name = f"{host.name}.{self.domain}"
        certificate, secret = authority.pem_for(self.name)
        for name, content in (("cert.pem", certificate), ("key.pem", secret), ("ca.pem", authority.pem)):
            (self.folder / name).write_bytes(content)
        self.set(
            server__listen=[f"tcp:{PORT}", f"ssl:{SECURE_PORT}:privateKey=key.pem:certKey=cert.pem"],
            server__admin_listen=[f"tcp:{ADMIN_PORT}"],
            auth__plaintext_networks=["10.0.0.0/8"],
        )
        if store:
            self.set(store__url=store)

    def start(self, health: int = 200) -> None:
        """Start it there."""
        with self.host.inside():
            super().start(health)

    def kill_worker(self) -> None:
        """Kill the worker that began last."""
        text = self.log.read_text(encoding="utf-8")
        os.kill(int(re.findall(r"worker \d+ answers, process (\d+)", text)[-1]), signal.SIGKILL)

    def health(self) -> int:
        """What a balancer on its host sees."""
        with self.host.inside():
            return super().health()

    def run(self, *arguments: str) -> str:
        """Run a verb of the command line there; returns what it prints."""
        return self.host.run(*CALSERVER, *arguments, "--config", str(self.config))


class Database(Cluster):
    """A PostgreSQL on a host."""

    def __init__(self, host: Host, folder: Path, **settings: str) -> None:
        super().__init__(folder, listen_addresses=host.address, **settings)
        self._host, self._given = host, settings

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs there."""
        with self._host.inside():
            super().run(program, *arguments)

    def copy_to(self, host: Host, folder: Path) -> "Database":
        """A standby on another host, without which nothing is committed from then on."""
        made = Database(host, folder, **self._given)
        source = f"host={self._host.address} user={OWNER} application_name=standby"
        made.run("pg_basebackup", "-D", str(made.data), "-R", "-X", "stream", "-c", "fast", "-d", source)
        made.start()
        self.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'", "SELECT pg_reload_conf()")
        return made


class Spread:
    """All of it, as a context manager.

    Args:
        folder: for its files.
        databases: two folders for the databases, which a user without rights enters.
        nsd: the program.
    """

    domain = Diaries.domain

    def __init__(self, folder: Path, databases: tuple[Path, Path], nsd: str) -> None:
        self._stack = ExitStack()
        self._folder, self._databases, self._program = folder, databases, nsd
        self.network = self._stack.enter_context(Network(HOSTS, "ns", folder))

    def _begin(self) -> None:
        with ThreadPoolExecutor() as some:
            preparing = some.submit(self._prepare)
            records = [f"{name} A {host.address}" for name, host in self.network.hosts.items()]
            records += [f"_caldav._tcp SRV 0 1 {PORT} {name}" for name, role in NODES.items() if role == "frontend"]
            folder = self._folder / "nsd"
            folder.mkdir()
            with self.network["ns"].inside():
                zones = {self.domain: zone(self.domain, *records, ttl=1)}
                self.names = Nsd(self._program, folder, zones, self.network["ns"].address, 53)
            self._stack.callback(self.names.stop)
            self._make_databases()
            preparing.result()
            table = self._folder / "people.csv"
            rows = [f"{who},{who},{who}@{self.domain}\n" for pair in zip(AT_B1, AT_B2, strict=True) for who in pair]
            table.write_text("uid,password,email\n" + "".join(rows), encoding="utf-8")
            self.nodes["f1"].run("principals", "import", str(table))
            for each in self.nodes.values():
                self._stack.callback(each.stop)
            list(some.map(Node.start, self.nodes.values()))

    def _prepare(self) -> None:
        """The directories of the nodes."""
        authority = Authority()
        where = f"postgresql://{OWNER}@db1.{self.domain},db2.{self.domain}"
        self.nodes = {
            name: Node(self.network[name], self._folder, authority, f"{where}/{name}" if role == "backend" else "")
            for name, role in NODES.items()
        }
        keys = {name: key(Config.load(each.config)) for name, each in self.nodes.items()}
        urls = {name: f"https://{each.name}:{SECURE_PORT}" for name, each in self.nodes.items()}
        for name, each in self.nodes.items():
            join(each.config, name, f"{where}/directory", NODES, urls, keys, 'authorities_file = "ca.pem"')
        self.nodes["b1"].set(server__workers=2)  # which are killed with it, and cut off from its database

    def _make_databases(self) -> None:
        first, second = self._databases
        self.primary = Database(self.network["db1"], first, **FAST | {"synchronous_commit": "on"})
        self.primary.make()
        with (self.primary.data / "pg_hba.conf").open("a") as file:
            file.write("host all,replication all 10.0.0.0/8 trust\n")
        self._stack.callback(self.primary.stop)
        self.primary.start()
        self.primary.make_template()
        for each in ("directory", *(name for name, role in NODES.items() if role == "backend")):
            self.primary.copy_template(each)
        self.standby = self.primary.copy_to(self.network["db2"], second)
        self._stack.callback(self.standby.stop)

    @contextmanager
    def away(self, name: str, how: str) -> Iterator[None]:
        """Kill a node or the name server, or cut its host off; start it again, or put the plug in again."""
        if how == "cut":
            self.network.cut(name)
        elif name == "ns":
            self.names.kill()
        else:
            self.nodes[name].kill()
        try:
            yield
        finally:
            if how == "cut":
                self.network.mend(name)
            elif name == "ns":
                with self.network["ns"].inside():
                    self.names.start()
            else:
                self.nodes[name].start()

    def roamer(self, who: str, chance: random.Random) -> Roamer:
        """Somebody's connection, for the host of clients."""
        return Roamer(who, self.domain, self.network["ns"].address, random.Random(chance.random()))

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()
