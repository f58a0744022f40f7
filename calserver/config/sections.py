"""The sections: each a frozen class, each option a field with its default and one sentence about it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Any, Final

import attrs

from calserver.config.option import (
    all_of,
    at_least,
    domain_names,
    mail_address_or_empty,
    not_empty,
    one_of,
    option,
    prefix,
    prefix_or_empty,
    workers,
)

Network = IPv4Network | IPv6Network
Workers = int | str
"""A number, or ``auto``."""
KIB: Final = 1024
MIB: Final = 1024 * KIB
YEAR_1900: Final = datetime(1900, 1, 1, tzinfo=UTC)
YEAR_2100: Final = datetime(2100, 1, 1, tzinfo=UTC)


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
    workers: Workers = option(  # noqa: RUF009 - `option` makes a field
        1,
        'how many processes answer requests: 1, more, or "auto", one for each core; where it is not 1 they are '
        "supervised: one that ends is replaced, and SIGHUP has all replaced, by others with what is configured then",
        workers,
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
    answers_bytes: int = option(
        4 * MIB, "most bytes of answers to polls that a process remembers, as long as they are proven current"
    )
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
        "sqlite:///calserver.sqlite",
        "sqlite:/// and a path, which starts at this file's folder unless it has one / more; or a URL as PostgreSQL's"
        " libpq takes it, such as postgresql://calserver@db.example.com/calserver, with several hosts, too",
        not_empty,
    )
    url_file: str = option("", "file that holds the URL, where it has a password in it; wins over url")
    password_file: str = option("", "file that holds the password for PostgreSQL, where the URL has none")
    busy_timeout_seconds: float = option(
        5.0, "how long a request waits for the database before it is told to come again", at_least(0.1)
    )
    cache_bytes: int = option(
        4 * MIB,
        "how much of an SQLite file is kept in memory for short reads, and as much for writes; each reader keeps a"
        " quarter of that; the system keeps the rest",
        at_least(256 * KIB),
    )
    paths: int = option(
        2_000, "most collections whose place and rights a process remembers; about 3 KiB each", at_least(1)
    )
    readers: int = option(4, "most reading transactions at a time", at_least(1))
    writers: int = option(
        1,
        "most writing transactions at a time, for PostgreSQL (SQLite has one writer); each commits what waits;"
        " a process takes as many connections as it has readers and writers, and one more",
        at_least(1),
    )


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
    anonymous: bool = option(
        True, "who has not logged in may look at what access control lists let everybody read: public calendars"
    )
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
    domains: tuple[str, ...] = option(
        (),
        "further mail domains of our people: who is not known here has no calendar, and others may not speak for them",
    )
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

    def hosts(self, domain: str) -> bool:
        """Whether the people with addresses in a mail domain are ours."""
        return domain.lower() in (self.domain.lower(), *(each.lower() for each in self.domains))


@attrs.frozen(kw_only=True)
class Scheduling:
    """Invitations (RFC 6638)."""

    past_days: float = option(
        30.0,
        "an organizer's change to an event that ended longer ago than this is told to nobody elsewhere",
        at_least(0),
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
    inbox_days: float = option(
        30.0, "how long messages lie in an Inbox whose owner's clients do not remove them; 0: for ever", at_least(0)
    )
    journal_days: float = option(
        30.0, "how long is known who was sent what and why (calserver schedule explain); 0: not at all", at_least(0)
    )


@attrs.frozen(kw_only=True)
class Peer:
    """What another domain is to us."""

    invitations: str = option(
        "usual",
        "usual, deliver, inbox (no copy is made in a calendar) or refuse",
        one_of("usual", "deliver", "inbox", "refuse"),
    )
    replies: bool = option(True, "take answers of invited people, and their wish to be told again")
    free_busy: str = option(
        "usual", "usual, none, busy or types: what it is told", one_of("usual", "none", "busy", "types")
    )
    hosted_domains: tuple[str, ...] = option((), "further domains for whose users it may sign")
    pinned: bool = option(False, "only keys in private_keys verify its signatures, not those that it publishes")
    unsigned_networks: tuple[Network, ...] = option((), "networks from which its messages need no signature")
    urls: tuple[str, ...] = option((), "its servers, in the order to try; empty: those that the DNS names")


NO_PEERS: Final[Mapping[str, Peer]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Ischedule:
    """Scheduling with other organizations: signed messages between servers, found by DNS (docs/federation.md)."""

    enabled: bool = option(True, "receive and send messages; what is sent needs a key (calserver keys generate)")
    allow: tuple[str, ...] = option((), "talk to these domains, and those below them, only; empty: to all")
    deny: tuple[str, ...] = option((), "do not talk to these domains, and those below them")
    invitations: str = option(
        "deliver",
        "invitations of those to whom the recipient has written before: deliver, inbox or refuse",
        one_of("deliver", "inbox", "refuse"),
    )
    strangers: str = option(
        "deliver",
        "invitations of all others: deliver, inbox (no copy is made in a calendar) or refuse",
        one_of("deliver", "inbox", "refuse"),
    )
    free_busy: str = option(
        "busy",
        "what others are told: none, busy (when somebody is busy), or types (and whether tentatively, or away)",
        one_of("none", "busy", "types"),
    )
    audit_file: str = option("", "one JSON object per line: who asked what, and what became of it; empty: the log")
    name_servers: tuple[str, ...] = option(
        (), 'name servers to ask, such as "192.0.2.53:53"; empty: those of the system'
    )
    authorities_file: str = option("", "certificates (PEM) of authorities to believe; empty: the system's")
    allow_networks: tuple[Network, ...] = option(
        (), "networks that are not public and yet connected to, for peers inside; loopback and private ones are not"
    )
    srv_trust: str = option(
        "target",
        "which servers are believed to be those of a domain: target (whatever the DNS names, with a certificate for "
        "its own name), dnssec (validated, or inside the domain), same-domain",
        one_of("target", "dnssec", "same-domain"),
    )
    private_keys: str = option(
        "peer-keys", "folder with public keys that were exchanged privately: a file DOMAIN/SELECTOR.txt for each"
    )
    well_known_keys: bool = option(False, "fetch keys by HTTPS too, where a signature asks for that")
    give_up_hours: float = option(
        72.0, "how long is tried to deliver a message, before its sender is told that it was in vain", at_least(0)
    )
    retry_seconds: float = option(30.0, "how long to wait after the first try in vain; it doubles", at_least(0.01))
    free_busy_seconds: float = option(8.0, "how long people wait for the answers of other servers", at_least(0.1))
    connections: int = option(20, "most domains that are sent to at a time", at_least(1))
    address_rate: float = option(20.0, "most messages a second from one address, in the long run", at_least(0.01))
    domain_rate: float = option(20.0, "most messages a second signed by one domain, in the long run", at_least(0.01))
    peers: Mapping[str, Peer] = option(NO_PEERS, "what single domains are to us", domain_names)

    def nearest(self, domain: str) -> str:
        """The one of `peers` that says what is taken from a domain: itself, or the nearest above it; empty: none."""
        above = [each for each in self.peers if domain == each or domain.endswith(f".{each}")]
        return max(above, key=len, default="")


@attrs.frozen(kw_only=True)
class Mail:
    """Invitations by mail (iMIP, RFC 6047), for people whose domain has no other way (docs/mail.md)."""

    address: str = option(
        "",
        "where mail comes from and answers go to, such as calendar@example.org: whatever follows a plus sign in it "
        "(calendar+x@example.org) must arrive here, too; empty: no mail",
        mail_address_or_empty,
    )
    name: str = option("calendar", "what the address is called, as in: Ann Example via calendar", not_empty)
    author: str = option(
        "calendar",
        "who invitations are from: calendar (the address above, on behalf of the organizer) or person (the organizer's "
        "own address; the mail server must be one that may send for its domain)",
        one_of("calendar", "person"),
    )
    organizer: str = option(
        "token",
        "where mail programs send answers: token (an address for this invitation and invitee alone, which is proof of "
        "who answers) or person (the organizer's own, from which a rule of the mail server has to bring them here)",
        one_of("token", "person"),
    )
    token_key_file: str = option(
        "mail-token.key", "the secret behind those addresses; it is made when it is missing", not_empty
    )
    server: str = option("localhost", "the mail server that takes what is sent", not_empty)
    port: int = option(587, "its port; with tls mostly 465", at_least(1))
    security: str = option(
        "starttls",
        "starttls, tls (from the first byte), or none, for a mail server on this machine",
        one_of("starttls", "tls", "none"),
    )
    authorities_file: str = option(
        "", "certificates (PEM) of authorities to believe for its certificate; empty: the system's"
    )
    user: str = option("", "log in as this user; empty: do not")
    password_file: str = option("", "file with its password")
    timeout_seconds: float = option(60.0, "how long it may take to answer", at_least(0.1))
    message_bytes: int = option(2 * MIB, "largest mail, in both directions", at_least(4096))
    daily_mails: int = option(
        2000, "how many mails one person may send in a day, and at once; more are not sent (status 5.1)", at_least(1)
    )
    dkim: str = option(
        "none",
        "who signs: none (the mail server does), keys (the key that signs messages to other servers; its record must "
        "not say s=ischedule: calserver keys publish --any-service), or file",
        one_of("none", "keys", "file"),
    )
    dkim_selector: str = option("", "with file: the selector of the key in the DNS")
    dkim_key_file: str = option("", "with file: a private RSA key (PEM)")
    lmtp_listen: tuple[str, ...] = option(
        (),
        'endpoints where mail servers hand mail over by LMTP, such as "tcp:8024:interface=127.0.0.1"; whoever reaches '
        "them is believed what trusted_results says",
    )
    smtp_listen: tuple[str, ...] = option((), "the same by SMTP")
    methods: tuple[str, ...] = option(
        ("REPLY", "REFRESH", "COUNTER"),
        "what is taken from mail: answers of invited people (REPLY), their wish to be told again (REFRESH), other "
        "times that they propose (COUNTER); invitations of others (REQUEST, ADD, CANCEL, DECLINECOUNTER) need proof of "
        "who has sent them",
        all_of("REPLY", "REFRESH", "COUNTER", "REQUEST", "ADD", "CANCEL", "DECLINECOUNTER"),
    )
    trusted_results: tuple[str, ...] = option(
        (),
        "names (authserv-id) of own mail servers whose Authentication-Results are believed, where they stand above all "
        "Received fields; the mail server must remove those that were there before",
    )
    own_hops: int = option(0, "how many Received fields of own servers may stand above them", at_least(0))
    verify_dkim: bool = option(True, "verify DKIM signatures here, too")


@attrs.frozen(kw_only=True)
class Node:
    """Another node of the cluster, or this one."""

    url: str = option("", "where the others reach it, such as https://b1.example.org:8443")
    key: str = option("", "its public key, as calserver cluster key tells")
    role: str = option(
        "backend",
        "backend (keeps the calendars of those who are placed on it) or frontend (hands requests on)",
        one_of("backend", "frontend"),
    )


NO_NODES: Final[Mapping[str, Node]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Cluster:
    """Front ends without calendars before back ends that have some of them each (docs/cluster.md)."""

    node: str = option("", "which of the nodes this server is; empty: there is no cluster")
    directory: str = option(
        "", "the database with the accounts of all, and where they are placed; a URL like that of the store"
    )
    directory_file: str = option("", "file that holds this URL, where it has a password in it; wins over directory")
    key_file: str = option("node.pem", "the private key of this node (calserver cluster key makes it)")
    authorities_file: str = option(
        "", "certificates (PEM) of authorities that are believed for nodes with https; empty: the system's"
    )
    look_seconds: float = option(0.5, "how often is looked whether the directory has changed", at_least(0.05))
    answer_seconds: float = option(120.0, "how long a node may take to begin its answer", at_least(1))
    connect_seconds: float = option(3.0, "how long a node may take to accept a connection", at_least(0.1))
    connections: int = option(50, "most idle connections to a node that are kept for the next requests", at_least(1))
    nodes: Mapping[str, Node] = option(NO_NODES, "all nodes, this one among them", domain_names)


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
    inquire: Callable[[Any], Awaitable[Any]] | None = None
    """Asks other servers when people are busy: `calserver.caldav.inquiry.Asking` to a `Told` for each attendee."""
    node: str = ""
    """Which node of a cluster this is; empty: there is none."""
