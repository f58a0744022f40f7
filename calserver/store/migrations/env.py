"""Alembic's environment: runs revisions over the connection that `calserver.store.migrations.upgrade` hands in."""

from alembic import context


def run() -> None:
    """Run what Alembic asks for; the transaction is that of the connection."""
    context.configure(connection=context.config.attributes["connection"])
    context.run_migrations()


if __name__ == "env_py":  # Alembic's name for it; whoever imports it otherwise only looks
    run()
