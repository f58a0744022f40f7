"""Alembic's environment: runs revisions over the connection that `calserver.store.migrations.upgrade` hands in."""

from alembic import context

from calserver.store.schema import metadata


def run() -> None:
    """Run what Alembic asks for."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        render_as_batch=True,
        transactional_ddl=True,
    )
    context.run_migrations()


if __name__ == "env_py":  # Alembic's name for it; whoever imports it otherwise only looks
    run()
