"""Servers for the tests with real clients."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from daemon import ACCOUNTS, Daemon
from diaries import Diaries
from murder import PEOPLE, Murder


@pytest.fixture(scope="session")
def database_of(request: pytest.FixtureRequest) -> Callable[[str], AbstractContextManager[str]]:
    """Makes the URL of an empty store of an engine, for a while; an empty one means what `calserver init` makes."""

    def made(engine: str) -> AbstractContextManager[str]:
        if engine == "sqlite":
            return nullcontext("")
        database: AbstractContextManager[str] = request.getfixturevalue("postgres").database()
        return database

    return made


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(
    request: pytest.FixtureRequest, database_of: Callable[[str], AbstractContextManager[str]]
) -> Iterator[str]:
    """A store of each engine for a test."""
    with database_of(request.param) as url:
        yield url


@pytest.fixture
def make_daemon(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Make servers that are stopped at the end of the test."""
    made: list[Daemon] = []

    def make(accounts: str = ACCOUNTS, store: str = "") -> Daemon:
        made.append(Daemon(tmp_path / f"server{len(made)}", accounts, store))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture(scope="module")
def daemon(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    database_of: Callable[[str], AbstractContextManager[str]],
) -> Iterator[Daemon]:
    """One running server for the tests of a module, over PostgreSQL with ``--engine postgres``."""
    with (
        database_of(request.config.getoption("engine")) as url,
        Daemon(tmp_path_factory.mktemp("live") / "server", ACCOUNTS, url) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Murder]:
    """A running cluster for the tests of several modules, which leave all its nodes running."""
    with Murder(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Diaries]:
    """One server with the same people."""
    with Diaries(tmp_path_factory.mktemp("single") / "server", PEOPLE) as running:
        yield running
