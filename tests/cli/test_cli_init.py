"""A new server's directory."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from postgresql import Cluster

from calserver.config import Config

Verb = Callable[..., Any]


def test_a_directory_is_made_with_configuration_key_and_store(verb: Verb, tmp_path: Path) -> None:
    site = tmp_path / "new" / "site"
    local = (
        "--listen",
        "tcp:8008",
        "--listen",
        "unix:/run/c.sock",
        "--admin-listen",
        "tcp:9",
        "--domain",
        "example.org",
    )
    made = verb("init", site, *local, "--json").json
    config = Config.load(site / "calserver.toml")
    assert made["config"] == str(site / "calserver.toml")
    assert config.server.listen == ("tcp:8008", "unix:/run/c.sock")
    assert config.server.admin_listen == ("tcp:9",)
    assert config.calendars.domain == "example.org"
    assert load_pem_private_key((site / "keys" / "cal1.pem").read_bytes(), None).key_size == 2048
    assert verb("db", "check", "--config", site / "calserver.toml").status == 0
    assert verb("user", "list", "--config", site / "calserver.toml", "--json").json == []


def test_what_is_in_it_is_for_its_owner_only(verb: Verb, tmp_path: Path) -> None:
    site = tmp_path / "site"
    verb("init", site)
    open_to_others = [path for path in (site, *site.rglob("*")) if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert open_to_others == []


def test_a_directory_with_something_in_it_is_left_alone(verb: Verb, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    done = verb("init", tmp_path)
    assert (done.status, done.out) == (1, "")
    assert done.err == f"calserver: {tmp_path} is not empty; nothing was changed\n"
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    assert verb("init", tmp_path / "letter.txt").status == 1


def test_an_empty_directory_is_taken(verb: Verb, tmp_path: Path) -> None:
    assert verb("init", tmp_path).status == 0


def test_it_tells_what_to_type_next(verb: Verb, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert f"export CALSERVER_CONFIG={site}/calserver.toml" in verb("init", site).out


def test_the_store_may_be_a_database_of_postgresql(verb: Verb, tmp_path: Path, postgres: Cluster) -> None:
    password = tmp_path / "password"
    password.write_text("ge&heim\n")
    with postgres.nothing() as url:
        made = verb("init", tmp_path / "site", "--store", url, "--store-password-file", password)
        assert made.status == 0
        assert "heim" not in made.out
        config = tmp_path / "site" / "calserver.toml"
        assert "heim" not in config.read_text()
        shown = verb("config", "show", "--config", config).out
        assert "password=***" in shown
        assert "heim" not in shown
        add = ("user", "add", "ann", "--password-stdin", "--config", config)
        assert verb(*add, stdin="secret\n").status == 0
        second = verb("init", tmp_path / "second", "--store", url)
        assert second.status == 0, "tables that are there stay"
        users = verb("user", "list", "--config", tmp_path / "second" / "calserver.toml", "--json").json
        assert [each["uid"] for each in users] == ["ann"]


def test_a_database_that_is_not_there_is_told_before_anything_is_made(
    verb: Verb, tmp_path: Path, postgres: Cluster
) -> None:
    for url, reason in ((postgres.url("nowhere"), '"nowhere" does not exist'), ("mysql://x/y", "store.url: unknown")):
        done = verb("init", tmp_path / "site", "--store", url)
        assert done.status == 1
        assert reason in done.err
        assert not (tmp_path / "site").exists()


def test_a_store_is_copied_to_another_database(verb: Verb, site: Path, postgres: Cluster) -> None:
    source = f"sqlite:///{site}/calserver.sqlite"
    with postgres.nothing() as url:
        copied = verb("db", "copy", source, url, "--json").json
        rows = {each["table"]: each["rows"] for each in copied}
        assert rows["principal"] == 3
        again = verb("db", "copy", source, url)
        assert (again.status, again.out) == (1, "")
        assert "empty database" in again.err
        done = verb("db", "copy", url, f"sqlite:///{site}/back.sqlite")
        assert done.out == f"copied {sum(rows.values())} rows, and all are the same\n"
