"""Of which revision of a meeting the messages in the journal are.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; it is empty for messages that were sent before."""
    op.add_column("journal", sa.Column("sequence", sa.BigInteger()))
