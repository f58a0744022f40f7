"""The tables. What a column holds is said by the value it becomes (`calserver.store.interface`).

Instants that people see are whole microseconds since the epoch (UTC); those of the instance index whole seconds.
Properties, addresses and component lists are JSON text: nothing ever searches in them. Names, paths and UIDs compare
byte by byte.

Which rows a partial index has is said once, for SQLite; `calserver.store.postgres` says the same in its words. To name
PostgreSQL here would have SQLAlchemy load all that it knows of it into every process.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts only what is exactly INTEGER."""


def id_column() -> Column[int]:
    """A primary key whose values are never given out again: sync tokens and caches hold them."""
    return Column("id", Id, primary_key=True, autoincrement=True)


def reference(
    name: str, target: str, *, ondelete: str | None = "CASCADE", primary_key: bool = False, index: bool = False
) -> Column[int]:
    """A foreign key to the id of `target`; rows go with what they belong to."""
    key = ForeignKey(f"{target}.id", ondelete=ondelete)
    return Column(name, Id, key, nullable=False, primary_key=primary_key, index=index)


REVISION = "0005"
"""The revision (`calserver.store.migrations`) that makes these tables."""

alembic_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""The revision that a database has: a table of Alembic, as Alembic makes it."""

# -- settings ------------------------------------------------------------------------------------------------------

meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

counter = Table(
    "counter", metadata, Column("name", Text, primary_key=True), Column("value", BigInteger, nullable=False)
)
"""What grows with each change outside of homes: ``floors``, ``locks``, ``principals``."""

COUNTERS = ("floors", "locks", "principals")

# -- principals ----------------------------------------------------------------------------------------------------

principal = Table(
    "principal",
    metadata,
    id_column(),
    Column("kind", Text, nullable=False),
    Column("uid", Text, nullable=False),
    Column("guid", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("first_name", Text, nullable=False),
    Column("last_name", Text, nullable=False),
    Column("addresses", Text),
    Column("password_hash", Text),
    Column("administrator", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("scheduling", Boolean, nullable=False),
    Column("auto_schedule", Text, nullable=False),
    Column("auto_accept_group", Text),
    Column("revision", BigInteger, nullable=False),
    Column("properties", Text),
    Column("capacity", Integer),
    Index("uq_principal_uid_kind", "uid", "kind", unique=True),
    sqlite_autoincrement=True,
)

principal_address = Table(
    "principal_address",
    metadata,
    Column("address", Text, primary_key=True),
    reference("principal_id", "principal", index=True),
)
"""Who has an address; the column ``principal.addresses`` holds the same in order."""

principal_term = Table(
    "principal_term",
    metadata,
    reference("principal_id", "principal", index=True),
    Column("field", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Index(None, "field", "folded"),
)
"""What searches look at: the texts of a principal with their case folded."""

membership = Table(
    "membership",
    metadata,
    reference("group_id", "principal", primary_key=True),
    reference("member_id", "principal", primary_key=True, index=True),
)

delegation = Table(
    "delegation",
    metadata,
    reference("principal_id", "principal", primary_key=True),
    Column("access", Text, primary_key=True),
    reference("delegate_id", "principal", primary_key=True, index=True),
)

placement = Table(
    "placement",
    metadata,
    reference("principal_id", "principal", primary_key=True),
    Column("node", Text, nullable=False, index=True),
)
"""Which node of a cluster keeps the calendars of a principal."""

# -- the tree ------------------------------------------------------------------------------------------------------

collection = Table(
    "collection",
    metadata,
    id_column(),
    reference("principal_id", "principal", ondelete=None, index=True),
    Column("home_id", Id, nullable=False),
    Column("parent_id", Id, ForeignKey("collection.id")),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("floor", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),
    Column("properties", Text),
    Column("display_name", Text),
    Column("components", Text),
    Column("transparent", Boolean, nullable=False),
    Column("timezone", Text),
    Column("quota_used_bytes", BigInteger, nullable=False),
    Column("acl", Text),
    Column("access_revision", BigInteger, nullable=False),
    Column("source_id", Id, ForeignKey("collection.id")),
    Column("access", Text),
    Column("shared", Boolean, nullable=False),
    Index("uq_collection_parent_id_name", "parent_id", "name", unique=True),
    Index(
        "uq_collection_home",
        "principal_id",
        "kind",
        unique=True,
        sqlite_where=text("parent_id IS NULL"),
    ),
    Index(
        "uq_collection_source_id",
        "source_id",
        "principal_id",
        unique=True,
        sqlite_where=text("source_id IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

UNPLAIN_IN_SQLITE = "(name GLOB '*[^-!$''()*+,.0-9:;=@A-Z_a-z~]*' OR content_type GLOB '*[^ -%''-;=?-~]*')"
UNPLAIN_IN_POSTGRES = "(name ~ '[^-!$''()*+,.0-9:;=@A-Z_a-z~]' OR content_type ~ '[^ -%''-;=?-~]')"
"""What `calserver.store.dialects.unplain` asks; spelled alike in the index and in the query that shall use it."""

UNPLAIN_INDEX = "ix_object_unplain"

object_ = Table(
    "object",
    metadata,
    id_column(),
    reference("collection_id", "collection"),
    Column("home_id", Id, nullable=False),
    Column("name", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),
    Column("etag", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("properties", Text),
    Column("component", Text),
    Column("uid", Text),
    Column("organizer", Text),
    Column("schedule_tag", Text),
    Column("first", BigInteger),
    Column("last", BigInteger),
    Column("recurring", Boolean, nullable=False),
    Column("acl", Text),
    Column("common_etag", Text),
    Column("common_size", BigInteger),
    Column("common_busy_differs", Boolean),
    Index("uq_object_collection_id_name", "collection_id", "name", unique=True),
    Index("ix_object_listing", "collection_id", "name", "etag", "content_type", "common_etag"),
    Index("uq_object_collection_id_revision", "collection_id", "revision", unique=True),
    Index(
        "ix_object_home_id_uid",
        "home_id",
        "uid",
        sqlite_where=text("uid IS NOT NULL"),
    ),
    Index(
        "ix_object_acl",
        "collection_id",
        sqlite_where=text("acl IS NOT NULL"),
    ),
    Index(
        UNPLAIN_INDEX,
        "collection_id",
        "name",
        "content_type",
        sqlite_where=text(UNPLAIN_IN_SQLITE),
    ),
    sqlite_autoincrement=True,
)

content = Table(
    "content",
    metadata,
    reference("object_id", "object", primary_key=True),
    Column("text", LargeBinary, nullable=False),
)
"""Contents lie apart, so that listings do not page through them."""

memory = Table(
    "memory",
    metadata,
    reference("object_id", "object", primary_key=True),
    Column("text", LargeBinary, nullable=False),
)
"""What scheduling remembers beside an object (`calserver.itip.Memory`)."""

invited_group = Table(
    "invited_group",
    metadata,
    reference("object_id", "object", primary_key=True),
    reference("group_id", "principal", primary_key=True, index=True),
)
"""The groups that the organizer of an object has invited."""

task = Table(
    "task",
    metadata,
    id_column(),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("due", BigInteger, nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Index("uq_task_kind_key", "kind", "key", unique=True),
    Index("ix_task_kind_due", "kind", "due"),
    sqlite_autoincrement=True,
)
"""What must happen after a commit (`calserver.store.interface.Tasks`)."""

journal = Table(
    "journal",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("uid", Text, nullable=False, index=True),
    Column("method", Text, nullable=False),
    Column("originator", Text, nullable=False),
    Column("recipients", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("sequence", BigInteger),
)
"""Scheduling messages and what became of them, in the order in which they were delivered."""

peer = Table(
    "peer",
    metadata,
    Column("domain", Text, primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column("sent", BigInteger),
    Column("received", BigInteger),
    Column("failures", Integer, nullable=False),
    Column("next_try", BigInteger),
    Column("problem", Text, nullable=False),
)
"""Other domains with which messages were exchanged, or were to be."""

contact = Table(
    "contact",
    metadata,
    reference("principal_id", "principal", primary_key=True),
    Column("address", Text, primary_key=True),
)
"""To whom elsewhere a principal has ever written."""

share = Table(
    "share",
    metadata,
    id_column(),
    reference("collection_id", "collection"),
    Column("principal_id", Id, ForeignKey("principal.id", ondelete="CASCADE"), index=True),
    Column("address", Text, nullable=False),
    Column("uid", Text, nullable=False, unique=True),
    Column("common_name", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("own_access", Text),
    Column("access", Text, nullable=False),
    Column("status", Text, nullable=False),
    Index("uq_share_collection_id_address", "collection_id", "address", unique=True),
    sqlite_autoincrement=True,
)

common_content = Table(
    "common_content",
    metadata,
    reference("object_id", "object", primary_key=True),
    Column("text", LargeBinary, nullable=False),
)
"""What sharees see who have set nothing of their own; of objects without ``common_etag`` it means nothing."""

personal = Table(
    "personal",
    metadata,
    reference("object_id", "object", primary_key=True),
    reference("principal_id", "principal", primary_key=True, index=True),
    Column("collection_id", Id, nullable=False),
    Column("name", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("busy_differs", Boolean, nullable=False),
    Column("text", LargeBinary, nullable=False),
    Index("ix_personal_listing", "collection_id", "principal_id", "name", "etag"),
)
"""Objects of shared calendars as a sharee sees them who has set alarms and the like of their own.

The collection is the source; it and the name are those of the object, so that listings find them in their order.
"""

MARKED = "band IN (4, 12)"
"""Whether a row is a marker; spelled alike in the index and in the query that shall use it."""

instance = Table(
    "instance",
    metadata,
    Column("collection_id", Id, primary_key=True),
    Column("band", SmallInteger, primary_key=True),
    Column("start", BigInteger, primary_key=True),
    reference("object_id", "object", primary_key=True, index=True),
    Column("number", Integer, primary_key=True),
    Column("end", BigInteger, nullable=False),
    Column("busy", Text, nullable=False),
    Column("recurrence_id", Text),
    Index(
        "ix_instance_marker_start",
        "start",
        sqlite_where=text(MARKED),
    ),
    sqlite_with_rowid=False,
)
"""The instance index, stored in the order in which it is searched; see `calserver.store.instances` for ``band``."""

tombstone = Table(
    "tombstone",
    metadata,
    reference("collection_id", "collection", primary_key=True),
    Column("name", Text, primary_key=True),
    Column("was_collection", Boolean, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("removed", BigInteger, nullable=False, index=True),
    Index("uq_tombstone_collection_id_revision", "collection_id", "revision", unique=True),
    sqlite_with_rowid=False,
)

lock = Table(
    "lock",
    metadata,
    Column("token", Text, primary_key=True),
    Column("path", Text, nullable=False, index=True),
    reference("principal_id", "principal", index=True),
    Column("exclusive", Boolean, nullable=False),
    Column("deep", Boolean, nullable=False),
    Column("owner", Text, nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
)
