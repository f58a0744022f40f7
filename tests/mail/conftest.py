"""A calendar server that takes mail."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from counter import Counter, furnish

from calserver.store import open_store


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What each test gets a copy of: ann and cyd have calendars."""
    path = tmp_path_factory.mktemp("mail") / "store.sqlite"
    opened = open_store(f"sqlite:///{path}", reactor=None)
    opened.write_now(furnish)
    opened.close()
    return path


@pytest.fixture
def counter(empty_database: Path, tmp_path: Path) -> Iterator[Counter]:
    made = Counter(empty_database, tmp_path)
    yield made
    made.close()
