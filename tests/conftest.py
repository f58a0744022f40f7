"""Fixtures for all rooms: a store of its own for each test, made from an empty one by copying its file; programs."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from postgresql import FAST, Cluster, cluster, programs

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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A running PostgreSQL for all tests: skip without it, but fail where CI says that all must be there."""
    if programs() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed (make test installs it)")
        pytest.skip("PostgreSQL is not installed")
    with cluster(**FAST) as running:
        running.make_template()
        yield running


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Find a program that tests talk to: skip without it, but fail where CI says that all must be there."""

    def find(name: str) -> str:
        places = (str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), "/usr/sbin")
        if found := shutil.which(name, path=os.pathsep.join(places)):
            return found
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed (make test installs it)")
        pytest.skip(f"{name} is not installed")

    return find
