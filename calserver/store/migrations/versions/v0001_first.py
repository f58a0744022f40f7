"""The first tables.

Revision ID: 0001
Revises: nothing
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make all tables."""
    _settings()
    _principals()
    _tree()


def _settings() -> None:
    """Settings and counters."""
    op.create_table(
        "counter",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counter"),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )
    counter = sa.table("counter", sa.column("name"), sa.column("value"))
    op.bulk_insert(counter, [{"name": name, "value": 0} for name in ("floors", "locks", "principals")])


def _principals() -> None:
    """Principals, what they are found by, and what hangs on them alone."""
    op.create_table(
        "principal",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("guid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("first_name", sa.Text(), nullable=False),
        sa.Column("last_name", sa.Text(), nullable=False),
        sa.Column("addresses", sa.Text(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("administrator", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("scheduling", sa.Boolean(), nullable=False),
        sa.Column("auto_schedule", sa.Text(), nullable=False),
        sa.Column("auto_accept_group", sa.Text(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("properties", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_principal"),
        sa.UniqueConstraint("guid", name="uq_principal_guid"),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_principal_uid_kind", "principal", ["uid", "kind"], unique=True)
    op.create_table(
        "delegation",
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("access", sa.Text(), nullable=False),
        sa.Column("delegate_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["delegate_id"], ["principal.id"], name="fk_delegation_delegate_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name="fk_delegation_principal_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("principal_id", "access", "delegate_id", name="pk_delegation"),
    )
    op.create_index("ix_delegation_delegate_id", "delegation", ["delegate_id"])
    op.create_table(
        "lock",
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("exclusive", sa.Boolean(), nullable=False),
        sa.Column("deep", sa.Boolean(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["principal_id"], ["principal.id"], name="fk_lock_principal_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token", name="pk_lock"),
    )
    op.create_index("ix_lock_expires", "lock", ["expires"])
    op.create_index("ix_lock_path", "lock", ["path"])
    op.create_index("ix_lock_principal_id", "lock", ["principal_id"])
    op.create_table(
        "membership",
        sa.Column("group_id", ID, nullable=False),
        sa.Column("member_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["principal.id"], name="fk_membership_group_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["member_id"], ["principal.id"], name="fk_membership_member_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("group_id", "member_id", name="pk_membership"),
    )
    op.create_index("ix_membership_member_id", "membership", ["member_id"])
    op.create_table(
        "principal_address",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("principal_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name="fk_principal_address_principal_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("address", name="pk_principal_address"),
    )
    op.create_index("ix_principal_address_principal_id", "principal_address", ["principal_id"])
    op.create_table(
        "principal_term",
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name="fk_principal_term_principal_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_principal_term_field_folded", "principal_term", ["field", "folded"])
    op.create_index("ix_principal_term_principal_id", "principal_term", ["principal_id"])


def _tree() -> None:
    """Homes, collections, objects, and what is known of them."""
    op.create_table(
        "collection",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("home_id", ID, nullable=False),
        sa.Column("parent_id", ID, nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("modified", sa.BigInteger(), nullable=False),
        sa.Column("properties", sa.Text(), nullable=True),
        sa.Column("display_name", sa.Text(), nullable=True),
        sa.Column("components", sa.Text(), nullable=True),
        sa.Column("transparent", sa.Boolean(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("quota_used_bytes", sa.BigInteger(), nullable=False),
        sa.Column("acl", sa.Text(), nullable=True),
        sa.Column("access_revision", sa.BigInteger(), nullable=False),
        sa.Column("source_id", ID, nullable=True),
        sa.Column("access", sa.Text(), nullable=True),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["collection.id"], name="fk_collection_parent_id"),
        sa.ForeignKeyConstraint(["principal_id"], ["principal.id"], name="fk_collection_principal_id"),
        sa.ForeignKeyConstraint(["source_id"], ["collection.id"], name="fk_collection_source_id"),
        sa.PrimaryKeyConstraint("id", name="pk_collection"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_collection_principal_id", "collection", ["principal_id"])
    op.create_index(
        "uq_collection_home",
        "collection",
        ["principal_id", "kind"],
        unique=True,
        sqlite_where=sa.text("parent_id IS NULL"),
        postgresql_where=sa.text("parent_id IS NULL"),
    )
    op.create_index("uq_collection_parent_id_name", "collection", ["parent_id", "name"], unique=True)
    op.create_index(
        "uq_collection_source_id",
        "collection",
        ["source_id", "principal_id"],
        unique=True,
        sqlite_where=sa.text("source_id IS NOT NULL"),
        postgresql_where=sa.text("source_id IS NOT NULL"),
    )
    op.create_table(
        "object",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("collection_id", ID, nullable=False),
        sa.Column("home_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("modified", sa.BigInteger(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("properties", sa.Text(), nullable=True),
        sa.Column("component", sa.Text(), nullable=True),
        sa.Column("uid", sa.Text(), nullable=True),
        sa.Column("organizer", sa.Text(), nullable=True),
        sa.Column("schedule_tag", sa.Text(), nullable=True),
        sa.Column("first", sa.BigInteger(), nullable=True),
        sa.Column("last", sa.BigInteger(), nullable=True),
        sa.Column("recurring", sa.Boolean(), nullable=False),
        sa.Column("acl", sa.Text(), nullable=True),
        sa.Column("common_etag", sa.Text(), nullable=True),
        sa.Column("common_size", sa.BigInteger(), nullable=True),
        sa.Column("common_busy_differs", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name="fk_object_collection_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_object"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_object_home_id_uid",
        "object",
        ["home_id", "uid"],
        sqlite_where=sa.text("uid IS NOT NULL"),
        postgresql_where=sa.text("uid IS NOT NULL"),
    )
    op.create_index(
        "ix_object_acl",
        "object",
        ["collection_id"],
        sqlite_where=sa.text("acl IS NOT NULL"),
        postgresql_where=sa.text("acl IS NOT NULL"),
    )
    op.create_index("ix_object_listing", "object", ["collection_id", "name", "etag", "content_type", "common_etag"])
    op.create_index(
        "ix_object_unplain",
        "object",
        ["collection_id", "name", "content_type"],
        sqlite_where=sa.text("(name GLOB '*[^-!$''()*+,.0-9:;=@A-Z_a-z~]*' OR content_type GLOB '*[^ -%''-;=?-~]*')"),
        postgresql_where=sa.text("(name ~ '[^-!$''()*+,.0-9:;=@A-Z_a-z~]' OR content_type ~ '[^ -%''-;=?-~]')"),
    )
    op.create_index("uq_object_collection_id_name", "object", ["collection_id", "name"], unique=True)
    op.create_index("uq_object_collection_id_revision", "object", ["collection_id", "revision"], unique=True)
    op.create_table(
        "tombstone",
        sa.Column("collection_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("was_collection", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name="fk_tombstone_collection_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection_id", "name", name="pk_tombstone"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tombstone_removed", "tombstone", ["removed"])
    op.create_index("uq_tombstone_collection_id_revision", "tombstone", ["collection_id", "revision"], unique=True)
    op.create_table(
        "content",
        sa.Column("object_id", ID, nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["object_id"], ["object.id"], name="fk_content_object_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("object_id", name="pk_content"),
    )
    op.create_table(
        "instance",
        sa.Column("collection_id", ID, nullable=False),
        sa.Column("band", sa.SmallInteger(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("object_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("busy", sa.Text(), nullable=False),
        sa.Column("recurrence_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["object_id"], ["object.id"], name="fk_instance_object_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("collection_id", "band", "start", "object_id", "number", name="pk_instance"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_instance_marker_start",
        "instance",
        ["start"],
        sqlite_where=sa.text("band IN (4, 12)"),
        postgresql_where=sa.text("band IN (4, 12)"),
    )
    op.create_index("ix_instance_object_id", "instance", ["object_id"])
    _sharing()


def _sharing() -> None:
    """Who shares which calendar, and what of it is their own."""
    op.create_table(
        "share",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("collection_id", ID, nullable=False),
        sa.Column("principal_id", ID, nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("common_name", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("own_access", sa.Text(), nullable=True),
        sa.Column("access", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name="fk_share_collection_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["principal_id"], ["principal.id"], name="fk_share_principal_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_share"),
        sa.UniqueConstraint("uid", name="uq_share_uid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_share_principal_id", "share", ["principal_id"])
    op.create_index("uq_share_collection_id_address", "share", ["collection_id", "address"], unique=True)
    op.create_table(
        "common_content",
        sa.Column("object_id", ID, nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["object_id"], ["object.id"], name="fk_common_content_object_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("object_id", name="pk_common_content"),
    )
    op.create_table(
        "personal",
        sa.Column("object_id", ID, nullable=False),
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("collection_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("busy_differs", sa.Boolean(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["object_id"], ["object.id"], name="fk_personal_object_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name="fk_personal_principal_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("object_id", "principal_id", name="pk_personal"),
    )
    op.create_index("ix_personal_listing", "personal", ["collection_id", "principal_id", "name", "etag"])
    op.create_index("ix_personal_principal_id", "personal", ["principal_id"])
