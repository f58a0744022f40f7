"""A village in which Ann grants different things to different people."""

from pathlib import Path

import pytest
from village import Village, furniture, people

from calserver.store import Store, open_store


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What each test gets a copy of: here with everybody and everything in it."""
    path = tmp_path_factory.mktemp("village") / "store.sqlite"
    opened = open_store(f"sqlite:///{path}", reactor=None)
    opened.write_now(people)
    opened.write_now(furniture)
    opened.close()
    return path


@pytest.fixture
def village(store: Store) -> Village:
    return Village(store)
