"""Fixtures for all rooms: a store of its own for each test, made from an empty one by copying its file."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from calserver.store import Store, open_store

settings.register_profile("patient", deadline=None)  # how long an example takes depends on who else uses the machine
settings.load_profile("patient")


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "store.sqlite"
    open_store(f"sqlite:///{path}", reactor=None).close()
    return path


@pytest.fixture
def store(empty_database: Path, tmp_path: Path) -> Iterator[Store]:
    path = tmp_path / "store.sqlite"
    shutil.copy(empty_database, path)
    opened = open_store(f"sqlite:///{path}", reactor=None)
    yield opened
    opened.close()
