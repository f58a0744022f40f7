"""Servers for the tests with real clients."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemon import Daemon

ACCOUNTS = """\
uid,password,name,email,type,admin
ann,ann,Ann Archer,ann@example.com,user,
bob,bob,Bob Baker,bob@example.com,user,
carol,carol,Carol Cook,carol@example.com,user,
admin,admin,Administrator,admin@example.com,user,yes
room1,,Room 1,room1@example.com,location,
"""


@pytest.fixture
def make_daemon(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Make servers that are stopped at the end of the test."""
    made: list[Daemon] = []

    def make(accounts: str = ACCOUNTS) -> Daemon:
        made.append(Daemon(tmp_path / f"server{len(made)}", accounts))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One running server for the tests of a module."""
    with Daemon(tmp_path_factory.mktemp("live") / "server", ACCOUNTS) as running:
        yield running


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Find a program that tests talk to: skip without it, but fail where CI says that all must be there."""

    def find(name: str) -> str:
        beside_python = str(Path(sys.executable).parent)
        if found := shutil.which(name, path=os.pathsep.join((beside_python, os.environ.get("PATH", os.defpath)))):
            return found
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed (make test installs it)")
        pytest.skip(f"{name} is not installed")

    return find
