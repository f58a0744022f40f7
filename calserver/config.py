"""One typed, frozen configuration: the only home of defaults, read from one TOML file.

    config = Config.load(Path("/etc/calserver/calserver.toml"))

Each section is a frozen class, each option a field with its default and one sentence about it, so that the sample file
(`sample`) and the effective configuration (`Config.show`) are written from the same place. Unknown keys and values of a
wrong type are refused with their path (`ConfigError`). An option ``x_file`` names a file that holds the secret ``x``.

A room gets its own section as an argument. What the resources of one request see - ``View.settings`` - is `Settings`:
the fields of ``[dav]`` with the sections ``[calendars]`` and ``[scheduling]`` as ``settings.calendars`` and so on.
"""

import difflib
import inspect
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

import attrs
from cattrs import ClassValidationError, Converter, ForbiddenExtraKeysError, override
from cattrs.errors import AttributeValidationNote
from cattrs.gen import make_dict_structure_fn

T = TypeVar("T")
Network = IPv4Network | IPv6Network
KIB: Final = 1024
MIB: Final = 1024 * KIB
YEAR_1900: Final = datetime(1900, 1, 1, tzinfo=UTC)
YEAR_2100: Final = datetime(2100, 1, 1, tzinfo=UTC)


class ConfigError(Exception):
    """The configuration cannot be used: `problems` has a line for each thing that is wrong, with the option's path."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class _Wrong(ValueError):
    """A check of `option` failed."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(problem)
        self.name = name


def option(default: T, doc: str, *checks: Callable[[Any], str | None]) -> T:
    """A field: its default, what it is for (one sentence), and checks that return what is wrong with a value."""

    def validate(instance: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        for check in checks:
            if problem := check(value):
                raise _Wrong(attribute.name, problem)

    return attrs.field(default=default, metadata={"doc": doc}, validator=validate)


def at_least(least: float) -> Callable[[Any], str | None]:
    """Check that a number is not smaller."""
    return lambda value: None if value >= least else f"must be at least {least}"


def one_of(*words: str) -> Callable[[Any], str | None]:
    """Check that a text is one of a few words."""
    return lambda value: None if value in words else f"must be one of {', '.join(words)}"


def all_of(*words: str) -> Callable[[Any], str | None]:
    """Check that a list has only some words in it."""
    return lambda values: None if set(values) <= set(words) else f"may hold {', '.join(words)}"


def prefix(value: str) -> str | None:
    """Check that a text is a path that begins and ends with a slash and needs no escaping."""
    if re.fullmatch(r"/([A-Za-z0-9._~-]+/)*", value):
        return None
    return 'must begin and end with "/" and hold only letters, digits and ._~- between'


def prefix_or_empty(value: str) -> str | None:
    """The same, or nothing."""
    return prefix(value) if value else None


def not_empty(value: Any) -> str | None:
    """Check that there is something."""
    return None if value else "must not be empty"


@attrs.frozen(kw_only=True)
class Server:
    """Where the server listens, and what stands in front of it."""

    listen: tuple[str, ...] = option(
        ("tcp:8008:interface=127.0.0.1",),
        "Twisted endpoint strings with relative paths starting at this file's folder, for example "
        '"tcp:8008", "ssl:8443:privateKey=key.pem:certKey=chain.pem", "unix:/run/calserver.sock", "haproxy:tcp:8008"',
        not_empty,
    )
    admin_listen: tuple[str, ...] = option(
        ("tcp:8009:interface=127.0.0.1",),
        "endpoints of /metrics and /health; whoever reaches them may read them",
    )
    public_prefix: str = option("/dav/", "path of the DAV root as clients see it", prefix)
    inner_prefix: str = option(
        "", "path of the DAV root as it reaches us, where a reverse proxy changes it; empty: the same", prefix_or_empty
    )
    trusted_proxies: tuple[Network, ...] = option(
        (),
        "networks whose Forwarded, X-Forwarded-* and X-Request-Id headers are believed, "
        'for example ["127.0.0.0/8", "::1/128"]; clients of unix sockets are believed if this is not empty',
    )
    http2: bool = option(True, "offer HTTP/2 on TLS endpoints")
    request_timeout_seconds: float = option(
        30.0, "how long a client may take to send a request's headers, or may pause within its body", at_least(0.1)
    )
    idle_timeout_seconds: float = option(75.0, "how long an idle connection is kept open", at_least(0.1))
    headers: int = option(100, "most header fields of a request", at_least(10))
    headers_bytes: int = option(16 * KIB, "most bytes of a request line with its header fields", at_least(1024))
    grace_seconds: float = option(
        20.0, "how long running requests may take to finish when the server stops", at_least(0)
    )

    @property
    def arriving_prefix(self) -> str:
        """The path of the DAV root as it reaches us."""
        return self.inner_prefix or self.public_prefix


@attrs.frozen(kw_only=True)
class Store:
    """The database."""

    url: str = option(
        "sqlite:///calserver.sqlite", "SQLAlchemy URL; a relative SQLite path starts at this file's folder", not_empty
    )
    url_file: str = option("", "file that holds the URL, where it has a password in it; wins over url")
    busy_timeout_seconds: float = option(
        5.0, "how long a request waits for the database before it is told to come again", at_least(0.1)
    )
    readers: int = option(4, "most reading transactions at a time", at_least(1))


@attrs.frozen(kw_only=True)
class Auth:
    """Who is asking."""

    realm: str = option(
        "calserver",
        "what clients show when they ask for a password; they keep passwords by it",
        not_empty,
        lambda value: None if re.fullmatch(r"[ -~]*", value) and not set('"\\') & set(value) else "must be plain ASCII",
    )
    schemes: tuple[str, ...] = option(
        ("basic",), "authentication schemes in the order they are offered", not_empty, all_of("basic")
    )
    plaintext_networks: tuple[Network, ...] = option(
        (), "networks that may send passwords unencrypted; loopback may anyway"
    )
    login_cache: int = option(10_000, "most successful logins that are remembered; 0: none", at_least(0))
    login_cache_seconds: float = option(300.0, "how long a successful login is remembered", at_least(0))
    hashing_threads: int = option(2, "most passwords that are checked at a time; each takes 19 MiB", at_least(1))
    account_failures: int = option(
        10, "wrong passwords for one account from one network, after which it has to wait", at_least(1)
    )
    network_failures: int = option(
        100, "wrong passwords from one network (IPv4 /24, IPv6 /56), after which it has to wait", at_least(1)
    )
    failures_seconds: float = option(300.0, "how long a wrong password counts", at_least(1))


@attrs.frozen(kw_only=True)
class Dav:
    """Limits of WebDAV requests and of what they leave behind."""

    body_bytes: int = option(16 * MIB, "largest request body, also after decompression", at_least(1024))
    xml_bytes: int = option(2 * MIB, "largest XML request body", at_least(1024))
    xml_depth: int = option(50, "deepest nesting of XML elements in a request", at_least(10))
    xml_elements: int = option(50_000, "most XML elements in a request", at_least(100))
    infinity_resources: int = option(
        10_000, "most resources that PROPFIND with Depth infinity answers for", at_least(0)
    )
    multiget_hrefs: int = option(5_000, "most hrefs in one multiget report", at_least(1))
    query_results: int = option(100_000, "most results of one query or sync report", at_least(1))
    search_results: int = option(500, "most results of a search for principals", at_least(1))
    expand_resources: int = option(2_000, "most resources that one expand-property report visits", at_least(1))
    answer_bytes: int = option(256 * MIB, "largest answer to one request, before compression", at_least(65536))
    request_seconds: float = option(10.0, "longest time that one request may compute", at_least(0.1))
    name_bytes: int = option(255, "longest name of a resource", at_least(64))
    path_depth: int = option(32, "deepest path below the DAV root", at_least(8))
    property_bytes: int = option(64 * KIB, "largest stored property", at_least(1024))
    properties: int = option(500, "most stored properties of a resource", at_least(10))
    aces: int = option(200, "most entries of an access control list", at_least(1))
    members: int = option(1_000_000, "most members of a collection", at_least(1))
    collections: int = option(1_000, "most collections in a home", at_least(10))
    quota_bytes: int = option(1024 * MIB, "most bytes of content in a home; 0: no limit", at_least(0))
    lock_seconds: int = option(86_400, "longest time until a lock expires", at_least(1))
    locks: int = option(1_000, "most locks of a principal", at_least(1))
    sync_days: int = option(90, "how long a sync token stays valid", at_least(1))


@attrs.frozen(kw_only=True)
class Calendars:
    """Limits of calendar data (RFC 4791 section 5.2), and what every principal has from the start."""

    domain: str = option("localhost", "mail domain of principals that have no address of their own", not_empty)
    resource_bytes: int = option(2 * MIB, "CALDAV:max-resource-size", at_least(1024))
    min_date_time: datetime = option(YEAR_1900, "CALDAV:min-date-time")  # noqa: RUF009 - `option` makes a field
    max_date_time: datetime = option(YEAR_2100, "CALDAV:max-date-time")  # noqa: RUF009 - `option` makes a field
    instances: int = option(5_000, "CALDAV:max-instances: most instances that an expansion yields", at_least(1))
    attendees: int = option(1_000, "CALDAV:max-attendees-per-instance", at_least(1))
    horizon_days: int = option(400, "how far ahead recurring components are indexed", at_least(1))
    object_acl: bool = option(
        False, "single calendar objects may have access control lists; otherwise they have that of their calendar"
    )
    create_default: bool = option(True, "every principal has the calendar Default/")
    create_tasks: bool = option(True, "every principal has the calendar Tasks/")
    create_scheduling: bool = option(True, "every principal has Inbox/ and Outbox/")
    create_attachments: bool = option(True, "every principal has Attachments/")
    create_notifications: bool = option(True, "every principal has Notifications/")
    create_drive: bool = option(True, "every user has a home for plain files")


@attrs.frozen(kw_only=True)
class Scheduling:
    """Invitations (RFC 6638)."""

    past_days: float = option(
        7.0, "an organizer's change to an event that ended longer ago than this is told to nobody", at_least(0)
    )
    refresh_attendees: int = option(
        50, "most attendees of an event who are told how others answered; in larger ones nobody is", at_least(0)
    )
    refresh_seconds: float = option(
        0.5, "how long answers are collected before the other attendees are told of them", at_least(0)
    )
    booking_days: int = option(
        1_100, "how far ahead rooms and things that answer by themselves look at a series", at_least(1)
    )
    expand_groups: bool = option(True, "a group that is invited stands for its members")


@attrs.frozen(kw_only=True)
class Log:
    """What is written down."""

    format: str = option("text", "text, or json: one object per line", one_of("text", "json"))
    level: str = option("info", "debug, info, warn or error", one_of("debug", "info", "warn", "error"))
    file: str = option("", "application log; empty: where twistd writes, or standard error")
    access_file: str = option("", "one line per request in Common Log Format; empty: none, -: standard output")


@attrs.frozen(kw_only=True)
class Metrics:
    """What is counted."""

    enabled: bool = option(True, "answer /metrics on the administration endpoints")


@attrs.frozen(kw_only=True)
class Settings(Dav):
    """What the resources of a request see of the configuration: ``[dav]``, with other sections below it."""

    calendars: Calendars = attrs.field(factory=Calendars)
    scheduling: Scheduling = attrs.field(factory=Scheduling)
    routes: tuple[Any, ...] = ()
    """The ways by which messages leave the site (`calserver.meetings.Route`): what is built of the configuration."""


@attrs.frozen(kw_only=True)
class Config:
    """All of it. `source` is the file it came from, and the folder that relative paths start at is its parent."""

    server: Server = attrs.field(factory=Server)
    store: Store = attrs.field(factory=Store)
    auth: Auth = attrs.field(factory=Auth)
    dav: Dav = attrs.field(factory=Dav)
    calendars: Calendars = attrs.field(factory=Calendars)
    scheduling: Scheduling = attrs.field(factory=Scheduling)
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
            config = _converter.structure(tables, cls)
        except ClassValidationError as error:
            raise ConfigError(*_problems(error, cls)) from None
        return attrs.evolve(config, source=source, store=_with_secret(config.store, source))

    @property
    def settings(self) -> Settings:
        """What ``View.settings`` is."""
        dav = {each.name: getattr(self.dav, each.name) for each in attrs.fields(Dav)}
        return Settings(**dav, calendars=self.calendars, scheduling=self.scheduling)

    def path(self, name: str) -> Path:
        """A path of the configuration: relative ones start at the folder of the file."""
        return _absolute(name, self.source)

    @property
    def store_url(self) -> str:
        """The URL of the store with a relative SQLite path made absolute."""
        scheme, separator, path = self.store.url.partition(":///")
        if separator and scheme.startswith("sqlite") and path and not path.startswith(("/", ":memory:")):
            return f"{scheme}:///{self.path(path)}"
        return self.store.url

    def show(self) -> str:
        """The effective configuration as TOML; passwords inside URLs are left out."""
        url = re.sub(r"(://[^:/@]*:)[^@/]*@", r"\1***@", self.store.url)
        return _render(attrs.evolve(self, store=attrs.evolve(self.store, url=url)), lambda path, line: line)


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
        config = _converter.structure(tables, Config)
    except ClassValidationError as error:
        raise ConfigError(*_problems(error, Config)) from None
    head = "# Configuration of calserver. Every option is shown at its default; a changed one has no # in front.\n\n"
    return head + _render(config, lambda path, line: line if path in changes else f"#{line}", docs=True)


# -- reading -------------------------------------------------------------------------------------------------------


def _strict(kind: type, words: str) -> Callable[[Any, Any], Any]:
    def structure(value: Any, _: Any) -> Any:
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:
            raise ValueError(f"must be {words}, not {json.dumps(value, default=str)}")
        return value

    return structure


def _network(value: Any, _: Any) -> Network:
    if not isinstance(value, str):
        raise ValueError('must be a network such as "192.0.2.0/24"')
    return ip_network(value)


def _instant(value: Any, _: Any) -> datetime:
    if type(value) is not datetime or value.tzinfo is None:
        raise ValueError("must be a time with its offset, such as 2000-01-01T00:00:00Z")
    return value


def _tuple(value: Any, kind: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"must be a list, not {json.dumps(value, default=str)}")
    return tuple(_converter.structure(each, get_args(kind)[0]) for each in value)


def _section(kind: type[T]) -> Callable[[Any, Any], T]:
    inner = make_dict_structure_fn(kind, _converter, _cattrs_forbid_extra_keys=True)

    def structure(value: Any, _: Any) -> T:
        if not isinstance(value, dict):
            raise ValueError("must be a section")
        return inner(value, kind)

    return structure


def _make_converter() -> Converter:
    converter = Converter(forbid_extra_keys=True)
    converter.register_structure_hook(str, _strict(str, "text in quotes"))
    converter.register_structure_hook(int, _strict(int, "a whole number"))
    converter.register_structure_hook(float, _strict(float, "a number"))
    converter.register_structure_hook(bool, _strict(bool, "true or false"))
    converter.register_structure_hook(datetime, _instant)
    converter.register_structure_hook_func(lambda kind: kind == Network, _network)
    converter.register_structure_hook_func(lambda kind: getattr(kind, "__origin__", None) is tuple, _tuple)
    return converter


_converter = _make_converter()
for _kind in (Server, Store, Auth, Dav, Calendars, Log, Metrics):
    _converter.register_structure_hook(_kind, _section(_kind))
_converter.register_structure_hook(
    Config,
    make_dict_structure_fn(Config, _converter, _cattrs_forbid_extra_keys=True, source=override(omit=True)),
)


def _problems(error: BaseException, kind: Any, path: str = "") -> list[str]:
    """One line for each leaf of cattrs' tree of exceptions, with the option's path in front."""
    if not isinstance(error, ClassValidationError):
        return _leaf(error, kind, path)
    lines = []
    for each in error.exceptions:
        inner, inner_kind = path, kind
        for note in getattr(each, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                inner, inner_kind = f"{path}.{note.name}".lstrip("."), note.type
        lines.extend(_problems(each, inner_kind, inner))
    return lines


def _leaf(error: BaseException, kind: Any, path: str) -> list[str]:
    if isinstance(error, _Wrong):
        path = f"{path}.{error.name}"
    if not isinstance(error, ForbiddenExtraKeysError):
        return [f"{path or 'configuration'}: {error}"]
    known = [each.name for each in attrs.fields(error.cl)]
    lines = []
    for name in sorted(error.extra_fields):
        near = difflib.get_close_matches(name, known, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        lines.append(f"{path}.{name}".lstrip(".") + f": there is no such option{hint}")
    return lines


def _absolute(name: str, source: Path | None) -> Path:
    return (source.parent if source else Path.cwd()) / name


def _with_secret(store: Store, source: Path | None) -> Store:
    if not store.url_file:
        return store
    try:
        url = _absolute(store.url_file, source).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"store.url_file: {error}") from None
    return attrs.evolve(store, url=url)


# -- writing -------------------------------------------------------------------------------------------------------


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return json.dumps(str(value), ensure_ascii=False)


def _render(config: Config, write: Callable[[str, str], str], *, docs: bool = False) -> str:
    lines = []
    for section in attrs.fields(Config):
        if section.metadata.get("internal"):
            continue
        part = getattr(config, section.name)
        if docs:
            lines.append(f"# {inspect.getdoc(type(part))}")
        lines.append(f"[{section.name}]")
        for each in attrs.fields(type(part)):
            if docs:
                lines.append(f"# {each.metadata['doc']}")
            lines.append(write(f"{section.name}.{each.name}", f"{each.name} = {_toml(getattr(part, each.name))}"))
        lines.append("")
    return "\n".join(lines)
