"""A real PostgreSQL for tests: a cluster of Debian's package in a directory of its own, that vanishes with it.

It listens on a socket in its directory and nowhere else. PostgreSQL refuses to run as root, so then it runs as the
user that the package made.
"""

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from calserver.store import copy, open_store
from calserver.store.schema import metadata

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
"""Where Debian puts the programs of each version."""
SERVICE_USER = "postgres"
OWNER = "calserver"
PREFIX = f"postgresql-of-{getpass.getuser()}-"
TEMPLATE = "template_of_stores"
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
"""For tests that do not pull the plug."""
SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "lc_messages": "C",
    "log_min_messages": "fatal",
}


def programs() -> Path | None:
    """The folder of the newest version that is installed."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    return PROGRAMS[-1] if PROGRAMS else None


class Cluster:
    """A server.

    Args:
        folder: where its data and its socket are.
        settings: what differs from the defaults.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        found = programs()
        assert found is not None
        self.folder, self._programs = folder, found
        self.data = folder / "data"
        self._settings = SETTINGS | settings | {"unix_socket_directories": str(folder)}
        self._account = pwd.getpwnam(SERVICE_USER) if os.geteuid() == 0 else None
        self.user = self._account and self._account.pw_uid
        self._numbers = count()
        self._free: list[str] = []
        self._copies: dict[Path, str] = {}
        self.running = False
        if self._account is not None:
            os.chown(folder, self._account.pw_uid, self._account.pw_gid)

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs, as the user that the server runs as."""
        user: dict[str, Any] = {}
        if self._account is not None:
            user = {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": ()}
        done = subprocess.run(
            [self._programs / program, *arguments], cwd=self.folder, capture_output=True, text=True, check=False, **user
        )
        assert done.returncode == 0, done.stderr + done.stdout

    def make(self) -> None:
        """Make an empty one: without passwords, in whatever language, since nothing may depend on that."""
        self.run(
            "initdb", "-D", str(self.data), "-U", OWNER, "-A", "trust", "-E", "UTF8", "--no-sync", "--no-instructions"
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        given = " ".join(f"-c {name}='{value}'" for name, value in self._settings.items())
        log = str(self.folder / "log")
        self.run("pg_ctl", "-D", str(self.data), "-w", "-t", "60", "-l", log, "-o", given, "start")
        self.running = True

    def stop(self, mode: str = "immediate") -> None:
        """Stop it, as if the plug were pulled unless another mode is asked for."""
        if self.running:
            self.run("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop")
        self.running = False

    @contextmanager
    def standby(self) -> Iterator["Cluster"]:
        """A streaming standby; from then on nothing is committed that it does not have on its disk."""
        with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder:
            made = Cluster(Path(folder))
            source = f"host={self.folder} user={OWNER} application_name=standby"
            self.run("pg_basebackup", "-D", str(made.data), "-R", "-X", "stream", "-c", "fast", "-d", source)
            made.start()
            self.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'", "SELECT pg_reload_conf()")
            try:
                yield made
            finally:
                made.stop()

    def promote(self) -> None:
        """Make a standby the primary."""
        self.run("pg_ctl", "-D", str(self.data), "-w", "promote")

    def url(self, database: str) -> str:
        """The URL of a database."""
        return f"postgresql://{OWNER}@/{database}?host={self.folder}"

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements outside of transactions."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for each in statements:
                connection.execute(each.encode())

    def make_template(self) -> None:
        """Make the database that `database` copies: a store without anything in it."""
        self.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
        open_store(self.url(TEMPLATE), reactor=None).close()

    def copy_template(self, name: str) -> None:
        """Make a database with an empty store."""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty store that is there for a while; the next one may get it, empty again."""
        if not self._free:
            self._free.append(f"store{next(self._numbers)}")
            self.copy_template(self._free[-1])
        name = self._free.pop()
        yield self.url(name)
        self.execute(_DISCONNECT, _EMPTY, database=name)
        self._free.append(name)

    @contextmanager
    def closed(self, url: str) -> Iterator[None]:
        """Let nobody into a database for a while, as if it were away."""
        name = conninfo_to_dict(url)["dbname"]
        self.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false", _DISCONNECT_ALL.format(name))
        try:
            yield
        finally:
            self.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    @contextmanager
    def nothing(self, template: str = "template0") -> Iterator[str]:
        """The URL of a database without tables, or of a copy of another one."""
        name = f"nothing{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self.url(name)
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def copy_of(self, path: Path) -> Iterator[str]:
        """The URL of a database with all that is in a store of SQLite, for a while."""
        template = self._copies.get(path)
        if template is None:
            template = self._copies[path] = f"copy{next(self._numbers)}"
            self.execute(f"CREATE DATABASE {template} TEMPLATE template0")
            copy(f"sqlite:///{path}", self.url(template), lambda table, done, total: None)
        with self.nothing(template) as url:
            yield url


_DISCONNECT = (
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid != pg_backend_pid()"
)
_DISCONNECT_ALL = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{}'"
_EMPTY = (
    "".join(f"DELETE FROM {table.name};" for table in reversed(metadata.sorted_tables) if table.name != "counter")
    + "UPDATE counter SET value = 0;"
    + "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"
)
"""Much faster than to drop a database and to make another one."""


@contextmanager
def cluster(**settings: str) -> Iterator[Cluster]:
    """A running cluster."""
    with tempfile.TemporaryDirectory(
        prefix=f"postgresql-of-{getpass.getuser()}-", ignore_cleanup_errors=True
    ) as folder:
        made = Cluster(Path(folder), **settings)
        made.make()
        made.start()
        try:
            yield made
        finally:
            made.stop()
