"""A store for each test and each engine, with a clock that stands still unless it is moved."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from samples import Clock, Place, furnish

from calserver.store import Store, open_store


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> str:
    """Which database."""
    return str(request.param)


@pytest.fixture
def url(engine: str, request: pytest.FixtureRequest, tmp_path: Path, empty_database: Path) -> Iterator[str]:
    """An empty store of each engine."""
    if engine == "sqlite":
        shutil.copy(empty_database, tmp_path / "store.sqlite")
        yield f"sqlite:///{tmp_path}/store.sqlite"
    else:
        with request.getfixturevalue("postgres").database() as made:
            yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(url: str, clock: Clock) -> Iterator[Store]:
    opened = open_store(url, reactor=None, now=clock)
    yield opened
    opened.close()


@pytest.fixture
def place(store: Store) -> Place:
    """Ann with a home and a calendar."""
    return store.write_now(furnish)
