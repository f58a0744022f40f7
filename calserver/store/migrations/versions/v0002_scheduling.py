"""What scheduling keeps: memories beside objects, invited groups, tasks, a journal; how many bookings a room takes.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and the column."""
    op.add_column("principal", sa.Column("capacity", sa.Integer(), nullable=True))
    op.create_table(
        "memory",
        sa.Column("object_id", ID, nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["object_id"], ["object.id"], name="fk_memory_object_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("object_id", name="pk_memory"),
    )
    op.create_table(
        "invited_group",
        sa.Column("object_id", ID, nullable=False),
        sa.Column("group_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["object_id"], ["object.id"], name="fk_invited_group_object_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["group_id"], ["principal.id"], name="fk_invited_group_group_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("object_id", "group_id", name="pk_invited_group"),
    )
    op.create_index("ix_invited_group_group_id", "invited_group", ["group_id"])
    op.create_table(
        "task",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_task"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_task_due", "task", ["due"])
    op.create_index("uq_task_kind_key", "task", ["kind", "key"], unique=True)
    op.create_table(
        "journal",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("originator", sa.Text(), nullable=False),
        sa.Column("recipients", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_journal"),
    )
    op.create_index("ix_journal_uid", "journal", ["uid"])
