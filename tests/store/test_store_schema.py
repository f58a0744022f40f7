"""Tables: what migrations make is what the schema says, and only the right ones are worked with."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from postgresql import Cluster
from samples import furnish
from sqlalchemy import Connection, create_engine, inspect, text

import calserver
from calserver.store import Busy, Health, SchemaMismatch, Unusable, check, open_store, upgrade
from calserver.store.migrations import newest
from calserver.store.migrations import upgrade as to_revision
from calserver.store.schema import COUNTERS, REVISION
from calserver.store.urls import dialect_of


def tables(path: Path) -> dict[str, object]:
    """All that can be known of the tables of a database, in an order of its own."""

    def of(connection: Connection, name: str) -> object:
        seen = inspect(connection)
        options = connection.execute(
            text("SELECT sql LIKE '%WITHOUT ROWID%', sql LIKE '%AUTOINCREMENT%' FROM sqlite_master WHERE name = :name"),
            {"name": name},
        ).one()
        indexes = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :name ORDER BY name"),
            {"name": name},
        )
        return (
            [{**column, "type": str(column["type"])} for column in seen.get_columns(name)],
            seen.get_pk_constraint(name),
            sorted(seen.get_foreign_keys(name), key=str),
            sorted(seen.get_unique_constraints(name), key=str),
            [tuple(row) for row in indexes],
            tuple(options),
        )

    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        found = {name: of(connection, name) for name in inspect(connection).get_table_names()}
        found["counters"] = [row[0] for row in connection.execute(text("SELECT name FROM counter ORDER BY name"))]
    engine.dispose()
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def address(path: Path) -> str:
    return f"sqlite:///{path}"


def test_an_upgrade_of_nothing_makes_what_the_schema_says(tmp_path: Path) -> None:
    upgrade(f"sqlite:///{tmp_path}/upgraded.sqlite")
    open_store(f"sqlite:///{tmp_path}/made.sqlite", reactor=None).close()
    made = tables(tmp_path / "made.sqlite")
    assert made == tables(tmp_path / "upgraded.sqlite")
    assert len(made) > 10
    assert made["counters"] == list(COUNTERS)


def tables_of_postgresql(url: str) -> dict[str, list[object]]:
    """The same for PostgreSQL, as it tells it itself."""
    questions = {
        "columns": "SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default IS NULL"
        " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position",
        "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexdef",
        "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
        "counters": "SELECT name FROM counter ORDER BY name",
    }
    with psycopg.connect(url) as connection:
        return {name: list(connection.execute(question.encode())) for name, question in questions.items()}


def test_an_upgrade_of_postgresql_makes_what_the_schema_says_too(postgres: Cluster) -> None:
    with postgres.nothing() as first, postgres.nothing() as second:
        assert check(first).found is None
        upgrade(first)
        upgrade(first)
        open_store(second, reactor=None).close()
        made = tables_of_postgresql(second)
        assert made == tables_of_postgresql(first)
        assert check(first).current
        assert {row[3] for row in made["columns"] if row[2] == "text"} == {"C"}
        assert len(made["indexes"]) > 20


def test_two_processes_may_make_the_tables_of_postgresql_at_the_same_time(postgres: Cluster) -> None:
    with postgres.nothing() as url, ThreadPoolExecutor(4) as pool:
        for store in pool.map(lambda _: open_store(url, reactor=None), range(4)):
            store.close()
        assert check(url).found == REVISION


def test_tables_of_postgresql_of_another_revision_are_refused(postgres: Cluster) -> None:
    with postgres.nothing() as url:
        upgrade(url)
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(SchemaMismatch, match="9999"):
            open_store(url, reactor=None)


def test_a_database_that_may_lose_what_was_acknowledged_is_no_sound_one(postgres: Cluster) -> None:
    """As those of these tests are."""
    with postgres.database() as url:
        problems = check(url).problems
        assert [each.split()[0] for each in problems] == ["fsync", "full_page_writes", "synchronous_commit"]


def test_the_schema_is_that_of_the_newest_revision() -> None:
    assert newest() == REVISION


def test_a_database_tells_its_health(path: Path, address: str) -> None:
    assert check(address) == Health(found=None)
    assert not path.exists(), "looking makes nothing"
    upgrade(address)
    health = check(address)
    assert health == Health(found=REVISION)
    assert health.current
    upgrade(address)
    assert check(address).current


def test_damage_is_told(path: Path, address: str) -> None:
    store = open_store(address, reactor=None)
    store.write_now(furnish)
    store.close()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("INSERT INTO content (object_id, text) VALUES (4711, '')")
    assert check(address).problems == ("row 4711 of content refers to nothing in object",)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size - 4096)  # a page that the table of tables has no part in
        file.write(b"\xff" * 4096)
    assert check(address).problems


def test_tables_of_another_revision_are_refused(path: Path, address: str) -> None:
    upgrade(address)
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaMismatch, match="9999"):
        open_store(address, reactor=None)
    assert not check(address).current


def test_an_open_store_notices_that_its_tables_are_upgraded(path: Path, address: str) -> None:
    store = open_store(address, reactor=None)
    store.read_now(lambda txn: txn.meta.see_tables())
    give_revision(path, "9999")
    with pytest.raises(SchemaMismatch, match=r"9999.* a newer program has upgraded it"):
        store.read_now(lambda txn: txn.meta.see_tables())
    store.close()


def test_tables_that_are_newer_than_the_program_are_not_upgraded(path: Path, address: str) -> None:
    upgrade(address)
    give_revision(path, "9999")
    with pytest.raises(SchemaMismatch, match=r"9999.* a newer program has upgraded it"):
        upgrade(address)


def test_tables_are_not_upgraded_under_a_server(path: Path, address: str) -> None:
    """Nothing is to be done where they have the revision; else it would write rows that the upgrade does not see."""
    to_revision(address, "0003")
    with closing(dialect_of(address).lease()) as server:
        assert server.held()
        to_revision(address, "0003")
        with pytest.raises(Busy, match="a server is running"):
            upgrade(address)
        with pytest.raises(SchemaMismatch, match=r"0003.*: upgrade it"):
            open_store(address, reactor=None)
    upgrade(address)
    open_store(address, reactor=None).close()


def give_revision(path: Path, revision: str) -> None:
    """Do as if another program had upgraded the tables."""
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE alembic_version SET version_num = ?", (revision,))


def test_what_is_no_database_is_refused_in_one_sentence(path: Path, address: str, tmp_path: Path) -> None:
    path.write_text("BEGIN:VCALENDAR\r\n" * 100)
    for use in (lambda: open_store(address, reactor=None), lambda: upgrade(address), lambda: check(address)):
        with pytest.raises(Unusable, match="not a database"):
            use()
    with pytest.raises(Unusable, match="No such file"):
        open_store(f"sqlite:///{tmp_path}/nowhere/x.sqlite", reactor=None)


@pytest.mark.parametrize("url", ["mysql://x/y", "nothing", "sqlite://", "sqlite:///:memory:", "sqlite:////x?mode=ro"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="database"):
        open_store(url, reactor=None)


def test_a_busy_database_is_not_waited_for_without_end(path: Path, address: str) -> None:
    open_store(address, reactor=None).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy):
            open_store(address, reactor=None, busy_timeout=0.01)


def test_the_file_is_for_its_owner_only(path: Path, address: str) -> None:
    """It holds password hashes, and everybody's calendars."""
    store = open_store(address, reactor=None)
    store.write_now(furnish)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    store.close()


def test_what_is_written_survives_a_loss_of_power(address: str) -> None:
    store = open_store(address, reactor=None)

    def settings(txn):
        ask = txn.connection.driver.execute
        return [ask(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")]

    full = 2
    assert store.write_now(settings) == ["wal", full, 1]
    store.close()


def test_the_revisions_are_found_wherever_the_package_is_installed(tmp_path: Path) -> None:
    """A copy elsewhere, in a folder whose name a configuration file would read as an interpolation."""
    elsewhere = tmp_path / "100%(x)s"
    shutil.copytree(
        Path(calserver.__file__).parent, elsewhere / "calserver", ignore=shutil.ignore_patterns("__pycache__")
    )
    url = "sqlite:///x.sqlite"
    program = f"import calserver.store as s; s.upgrade({url!r}); print(s.__file__, s.check({url!r}).current)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(elsewhere)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == f"{elsewhere}/calserver/store/__init__.py True\n"
