"""Upgrading the tables (Alembic).

A database says in its table ``alembic_version`` which revision it has. `upgrade` runs what lies between that and the
newest, all in one transaction. Revisions live in ``versions``, one module each, and are never changed once released.
A new one comes with the same change in `calserver.store.schema`; a test compares what both make.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from calserver.store.leases import leading
from calserver.store.tables import SchemaMismatch, revision_of
from calserver.store.urls import dialect_of


def configuration() -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def newest() -> str:
    """The newest revision."""
    revision = ScriptDirectory.from_config(configuration()).get_current_head()
    assert revision is not None
    return revision


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the tables of a database to a revision; an empty or missing one gets all.

    Nothing is done, though servers may be running, where they have that revision.

    Raises:
        Busy: another process keeps the lock for too long, or a server is running over tables that are to be changed.
        SchemaMismatch: a newer program has made the tables.
        Unusable: it cannot be opened.
    """
    dialect = dialect_of(url)
    dialect.prepare()
    with dialect.tables() as connection:
        found = revision_of(connection)
    wanted = newest() if revision == "head" else revision
    if found == wanted:
        return
    if found is not None and found > wanted:
        raise SchemaMismatch(found)
    config = configuration()
    with leading(dialect.lease()), dialect.tables() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, wanted)
