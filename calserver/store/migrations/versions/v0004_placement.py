"""Where principals are: the node of a cluster that keeps their calendars.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "placement",
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name="fk_placement_principal_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("principal_id", name="pk_placement"),
    )
    op.create_index("ix_placement_node", "placement", ["node"])
