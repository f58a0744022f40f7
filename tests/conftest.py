"""Fixtures for all rooms: a store of its own for each test, made from an empty one by copying its file; programs."""

import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

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


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Let pytest-twisted wrap a test of hypothesis once for each of its parameters, and not what it wrapped before."""
    test = getattr(pyfuncitem.obj, "hypothesis", None)
    inner = test and test.inner_test
    try:
        return (yield)
    finally:
        if test:
            test.inner_test = inner


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what takes long, tests with servers: the short files at the end share the processors evenly."""
    items.sort(key=lambda item: item.path.parent.name != "live")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Call a long text by its parameter: it might hold a key that is new in each process, and nobody reads it."""
    return argname if isinstance(val, str | bytes) and len(val) > 40 else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", default="sqlite", choices=("sqlite", "postgres"), help="where the fixture store lies")


@pytest.fixture
def store(request: pytest.FixtureRequest, empty_database: Path, tmp_path: Path) -> Iterator[Store]:
    """A store with what is in the empty database: a copy of the file; with ``--engine postgres`` of what is in it."""
    with ExitStack() as stack:
        if request.config.getoption("engine") == "postgres":
            url = stack.enter_context(request.getfixturevalue("postgres").copy_of(empty_database))
        else:
            path = tmp_path / "store.sqlite"
            shutil.copy(empty_database, path)
            url = f"sqlite:///{path}"
        opened = open_store(url, reactor=None)
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
