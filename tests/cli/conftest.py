"""Run verbs of the command line in this process."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from calserver.cli import run


class Outcome(NamedTuple):
    """Exit status, and what was printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def no_server_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have one."""
    monkeypatch.delenv("CALSERVER_CONFIG", raising=False)


@pytest.fixture
def verb(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Run ``calserver`` with arguments and standard input."""

    def call(*arguments: str | Path, stdin: str = "") -> Outcome:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
        capfdbinary.readouterr()
        status = run([str(each) for each in arguments])
        captured = capfdbinary.readouterr()
        return Outcome(status, captured.out.decode(), captured.err.decode())

    return call


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's directory with ann, bob and a room."""
    folder = tmp_path_factory.mktemp("pristine") / "site"
    table = folder.with_name("accounts.csv")
    table.write_text(
        "uid,name,type,email\nann,Ann Archer,user,\nbob,Bob Baker,user,bob@work.example\nroom,,location,\n"
    )
    assert run(["init", str(folder), "--domain", "example.org"]) == 0
    assert run(["principals", "import", str(table), "--config", str(folder / "calserver.toml")]) == 0
    return folder


@pytest.fixture
def site(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it; the environment says where it is."""
    folder = tmp_path / "site"
    shutil.copytree(pristine, folder)
    monkeypatch.setenv("CALSERVER_CONFIG", str(folder / "calserver.toml"))
    return folder
