"""What federation keeps: other domains, and to whom there people have written.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and an index by which what waits is counted without reading it."""
    op.create_index("ix_task_kind_due", "task", ["kind", "due"])
    op.create_table(
        "peer",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=True),
        sa.Column("received", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_try", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("domain", name="pk_peer"),
    )
    op.create_table(
        "contact",
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["principal_id"], ["principal.id"], name="fk_contact_principal_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("principal_id", "address", name="pk_contact"),
    )
