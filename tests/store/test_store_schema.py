"""Tables: what migrations make is what the schema says, and only the right ones are worked with."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from samples import furnish
from sqlalchemy import Connection, create_engine, inspect, text

import calserver
from calserver.store import Busy, Health, SchemaMismatch, Unusable, check, open_store, upgrade
from calserver.store.migrations import newest
from calserver.store.schema import COUNTERS, REVISION


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
