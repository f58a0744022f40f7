"""An office for each test."""

from collections.abc import Callable
from pathlib import Path

import pytest
from office import Office, furnish

from calserver.store import Store, open_store


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What each test gets a copy of."""
    path = tmp_path_factory.mktemp("office") / "store.sqlite"
    opened = open_store(f"sqlite:///{path}", reactor=None)
    opened.write_now(furnish)
    opened.close()
    return path


@pytest.fixture
def office(store: Store) -> Office:
    return Office.of(store)


@pytest.fixture
def office_with(store: Store) -> Callable[..., Office]:
    """An office with other settings of scheduling."""
    return lambda **scheduling: Office.of(store, **scheduling)
