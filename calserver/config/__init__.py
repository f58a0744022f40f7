"""One typed, frozen configuration: the only home of defaults, read from one TOML file.

    config = Config.load(Path("/etc/calserver/calserver.toml"))

Each section is a frozen class, each option a field with its default and one sentence about it (`sections`), so that the
sample file (`sample`) and the effective configuration (`Config.show`) are written from the same place. Unknown keys and
values of a wrong type are refused with their path (`ConfigError`). An option ``x_file`` names a file that holds the
secret ``x``.

A room gets its own section as an argument. What the resources of one request see - ``View.settings`` - is `Settings`:
the fields of ``[dav]`` with the sections ``[calendars]`` and ``[scheduling]`` as ``settings.calendars`` and so on.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import attrs
from cattrs import ClassValidationError

from calserver.config.option import ConfigError
from calserver.config.reading import problems, structure
from calserver.config.sections import (
    Auth,
    Calendars,
    Cluster,
    Dav,
    Ischedule,
    Log,
    Mail,
    Metrics,
    Network,
    Node,
    Peer,
    Scheduling,
    Server,
    Settings,
    Store,
)
from calserver.config.writing import render

__all__ = [
    "Auth",
    "Calendars",
    "Cluster",
    "Config",
    "ConfigError",
    "Dav",
    "Ischedule",
    "Log",
    "Mail",
    "Metrics",
    "Network",
    "Node",
    "Peer",
    "Scheduling",
    "Server",
    "Settings",
    "Store",
    "sample",
]


_MADE = frozenset({"access_file", "audit_file", "key_file", "token_key_file"})
"""Options with files that are written, or made when they are needed."""


@attrs.frozen(kw_only=True)
class Config:
    """All of it. `source` is the file it came from, and the folder that relative paths start at is its parent."""

    server: Server = attrs.field(factory=Server)
    store: Store = attrs.field(factory=Store)
    auth: Auth = attrs.field(factory=Auth)
    dav: Dav = attrs.field(factory=Dav)
    calendars: Calendars = attrs.field(factory=Calendars)
    scheduling: Scheduling = attrs.field(factory=Scheduling)
    ischedule: Ischedule = attrs.field(factory=Ischedule)
    mail: Mail = attrs.field(factory=Mail)
    cluster: Cluster = attrs.field(factory=Cluster)
    log: Log = attrs.field(factory=Log)
    metrics: Metrics = attrs.field(factory=Metrics)
    source: Path | None = attrs.field(default=None, eq=False, metadata={"internal": True})

    @classmethod
    def load(cls, path: Path) -> "Config":
        """Read a file, and the files with secrets that it names.

        Raises:
            ConfigError: it cannot be read, is not TOML, or has options that are unknown or wrong.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from None
        return cls.parse(text, source=path.absolute())

    @classmethod
    def parse(cls, text: str, *, source: Path | None = None) -> "Config":
        """Read TOML text; the same as `load` besides."""
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"not TOML: {error}") from None
        try:
            config = structure(tables, cls)
        except ClassValidationError as error:
            raise ConfigError(*problems(error, cls)) from None
        _check(config.cluster)
        cluster = config.cluster
        if cluster.directory_file:
            directory = _secret("cluster.directory_file", cluster.directory_file, source)
            cluster = attrs.evolve(cluster, directory=directory)
        return attrs.evolve(config, source=source, store=_with_secret(config.store, source), cluster=cluster)

    @property
    def settings(self) -> Settings:
        """What ``View.settings`` is."""
        dav = {each.name: getattr(self.dav, each.name) for each in attrs.fields(Dav)}
        return Settings(**dav, calendars=self.calendars, scheduling=self.scheduling, node=self.cluster.node)

    def path(self, name: str) -> Path:
        """A path of the configuration: relative ones start at the folder of the file."""
        return _absolute(name, self.source)

    def unreadable(self) -> list[str]:
        """What is wrong with the files that options name and that have to be there: a line for each."""
        found = []
        for section in attrs.fields(Config):
            options = getattr(self, section.name)
            for each in attrs.fields(type(options)) if attrs.has(type(options)) else ():
                name = getattr(options, each.name)
                if not name or not each.name.endswith("_file") or each.name in _MADE:
                    continue
                if not os.access(self.path(name), os.R_OK):
                    found.append(f"{section.name}.{each.name}: {self.path(name)} is not there, or cannot be read")
        return found

    @property
    def store_url(self) -> str:
        """The URL of the store with a relative SQLite path made absolute."""
        return self._located(self.store.url)

    @property
    def directory_url(self) -> str:
        """The URL of the database with the accounts: that of the cluster's directory, or of the store itself."""
        return self._located(self.cluster.directory) if self.cluster.node else self.store_url

    def _located(self, url: str) -> str:
        scheme, separator, path = url.partition(":///")
        if separator and scheme.startswith("sqlite") and path and not path.startswith(("/", ":memory:")):
            return f"{scheme}:///{self.path(path)}"
        return url

    @property
    def shown_store_url(self) -> str:
        """The URL of the store for people to read: without the password."""
        return _without_password(self.store_url)

    def show(self) -> str:
        """The effective configuration as TOML; passwords inside URLs are left out."""
        url = self.store.url if self.store.url.startswith("sqlite") else self.shown_store_url
        shown = attrs.evolve(
            self,
            store=attrs.evolve(self.store, url=url),
            cluster=attrs.evolve(self.cluster, directory=_without_password(self.cluster.directory)),
        )
        return render(shown, lambda path, line: line)


def sample(changes: Mapping[str, object] | None = None) -> str:
    """The commented sample file: every option at its default, commented out.

    Args:
        changes: options by path (``server.listen``) that are written with another value, not commented out.

    Raises:
        ConfigError: an option is unknown, or its value is wrong.
    """
    changes = dict(changes or {})
    tables: dict[str, dict[str, object]] = {}
    for path, value in changes.items():
        section, _, name = path.partition(".")
        tables.setdefault(section, {})[name] = value
    try:
        config = structure(tables, Config)
    except ClassValidationError as error:
        raise ConfigError(*problems(error, Config)) from None
    head = "# Configuration of calserver. Every option is shown at its default; a changed one has no # in front.\n\n"
    return head + render(config, lambda path, line: line if path in changes else f"#{line}", docs=True)


def _check(cluster: Cluster) -> None:
    """See that a node knows what it must.

    Raises:
        ConfigError: it does not.
    """
    if not cluster.node:
        return
    wrong = []
    if cluster.node not in cluster.nodes:
        wrong.append(f"cluster.node: there is no [cluster.nodes.{cluster.node}]")
    if not cluster.directory and not cluster.directory_file:
        wrong.append("cluster.directory: must not be empty")
    for name, each in cluster.nodes.items():
        if not re.fullmatch(r"https?://[^/?#@]+/?", each.url):
            wrong.append(f"cluster.nodes.{name}.url: must be http or https with a host, and no path")
        if not each.key:
            wrong.append(f"cluster.nodes.{name}.key: must not be empty")
    if wrong:
        raise ConfigError(*wrong)


def _without_password(url: str) -> str:
    url = re.sub(r"(://[^:/@]*:)[^@/]*@", r"\1***@", url)
    return re.sub(r"([?&]password=)[^&]*", r"\1***", url)


def _absolute(name: str, source: Path | None) -> Path:
    return (source.parent if source else Path.cwd()) / name


def _with_secret(store: Store, source: Path | None) -> Store:
    """What the files of the section hold, put into the URL."""
    url = _secret("store.url_file", store.url_file, source) if store.url_file else store.url
    if store.password_file:
        if not url.startswith("postgres"):
            raise ConfigError("store.password_file: only PostgreSQL has a password")
        password = quote(_secret("store.password_file", store.password_file, source), safe="")
        url += ("&" if "?" in url else "?") + f"password={password}"
    return attrs.evolve(store, url=url)


def _secret(option: str, name: str, source: Path | None) -> str:
    try:
        return _absolute(name, source).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{option}: {error}") from None
