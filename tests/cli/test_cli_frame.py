"""What holds for every verb: help, exit status, one line for what went wrong, where the configuration comes from."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from calserver.cli import verbs
from calserver.config import sample

Verb = Callable[..., Any]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "calserver.toml"
    path.write_text(sample({"calendars.domain": "example.org"}))
    return path


def leaves(group: click.Group, *names: str) -> list[tuple[tuple[str, ...], click.Command]]:
    """Every verb that does something, with its names."""
    with click.Context(group) as context:
        found = []
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            if isinstance(command, click.Group):
                found += leaves(command, *names, name)
            else:
                found.append(((*names, name), command))
        return found


ALL = leaves(verbs)


def test_the_verbs_of_the_manual_are_there() -> None:
    wanted = """
    init / demo organizations / demo dns / serve / config check / config show / user add / user list /
    user show / user password / user remove / principals import / principals export / calendar list /
    calendar create / calendar delete / calendar export / calendar import / calendar publish /
    calendar unpublish / schedule explain / schedule check / acl show / acl grant / acl revoke / acl reset /
    delegate list / delegate add / delegate remove / db upgrade / db check / db copy / dns records /
    dns check / keys generate / keys list / keys publish / keys rotate / keys retire / federation peers /
    federation queue / federation show / federation retry / federation drop / mail test / cluster key /
    cluster begin / cluster nodes / cluster place / cluster move / cluster drain / cluster status
    """
    assert {" ".join(names) for names, _ in ALL} == {" ".join(each.split()) for each in wanted.split("/")}


@pytest.mark.parametrize(("names", "command"), ALL, ids=lambda x: " ".join(x) if isinstance(x, tuple) else "")
def test_every_verb_has_help_and_speaks_json(names: tuple[str, ...], command: click.Command) -> None:
    options = {option for each in command.params for option in each.opts}
    assert command.help
    if names not in {("serve",), ("demo", "organizations"), ("demo", "dns")}:
        assert "--json" in options
    if names not in {("init",), ("demo", "organizations"), ("db", "copy")}:
        assert "--config" in options
    assert [each.name for each in command.params if isinstance(each, click.Option) and not each.help] == []


@pytest.mark.parametrize(("names", "command"), ALL, ids=lambda x: " ".join(x) if isinstance(x, tuple) else "")
def test_no_verb_takes_a_password_as_argument(names: tuple[str, ...], command: click.Command) -> None:
    assert "--password" not in {option for each in command.params for option in each.opts}


@pytest.mark.parametrize(
    "arguments", [["nope"], ["user", "nope"], ["dns", "records"], ["--nope"], ["user", "show", "x"]]
)
def test_wrong_usage_is_one_line_and_status_2(verb: Verb, arguments: list[str]) -> None:
    done = verb(*arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("calserver: ")
    assert done.err.count("\n") == 1


def test_the_configuration_comes_from_an_option_or_the_environment(
    verb: Verb, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verb("config", "check").status == 2
    assert verb("config", "check", "--config", config).status == 0
    monkeypatch.setenv("CALSERVER_CONFIG", str(config))
    assert verb("config", "check").out == f"{config}: all right\n"


def test_each_mistake_of_the_configuration_is_a_line_with_its_path(verb: Verb, config: Path) -> None:
    config.write_text("[server]\nlisten = 8008\n[stone]\n")
    for arguments in (["config", "check"], ["config", "show"], ["db", "check"]):
        done = verb(*arguments, "--config", config)
        assert (done.status, done.out) == (1, "")
        assert sorted(line.split(": ")[1] for line in done.err.splitlines()) == ["server.listen", "stone"]
    done = verb("config", "check", "--json", "--config", config)
    assert done.status == 1
    assert len(done.json["problems"]) == 2


def test_a_file_that_an_option_names_and_that_is_not_there_is_a_mistake(verb: Verb, config: Path) -> None:
    config.write_text(sample({"mail.password_file": "password", "mail.dkim_key_file": "dkim.pem"}))
    (config.parent / "password").write_text("secret\n")
    done = verb("config", "check", "--config", config)
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert f"mail.dkim_key_file: {config.parent / 'dkim.pem'} is not there" in done.err


def test_the_configuration_in_effect_is_shown(verb: Verb, config: Path) -> None:
    shown = verb("config", "show", "--config", config, "--json").json
    assert shown["calendars"]["domain"] == "example.org"
    config.write_text(verb("config", "show", "--config", config).out)
    assert verb("config", "show", "--config", config, "--json").json == shown


def test_records_use_the_prefix_that_clients_see(verb: Verb, config: Path) -> None:
    config.write_text(sample({"server.public_prefix": "/servlet/dav/"}))
    found = verb("dns", "records", "example.org", "--config", config, "--json").json
    texts = {each["name"]: each["value"] for each in found if each["type"] == "TXT"}
    assert texts["_caldavs._tcp.example.org"] == "path=/servlet/dav/"
    zone = verb("dns", "records", "example.org", "--config", config)
    assert zone.out.startswith("$ORIGIN example.org.\n")
    table = verb("dns", "records", "example.org", "--config", config, "--format", "list")
    assert table.out.splitlines()[0].split() == ["NAME", "TYPE", "CONTENT", "FOR"]


@pytest.mark.parametrize("arguments", [["user", "list"], ["db", "check"], ["db", "upgrade"]])
def test_a_database_that_cannot_be_opened_is_one_line(verb: Verb, config: Path, arguments: list[str]) -> None:
    (config.parent / "calserver.sqlite").write_bytes(b"something else\n" * 100)
    done = verb(*arguments, "--config", config)
    assert done.status == 1
    assert done.err.count("\n") == 1
    assert "not a database" in done.err


def test_a_file_that_is_not_there_is_named(verb: Verb, tmp_path: Path) -> None:
    done = verb("config", "show", "--config", tmp_path / "none.toml")
    assert done.status == 1
    assert "none.toml" in done.err


@pytest.mark.parametrize("page", sorted(Path("docs").glob("*.md")), ids=lambda page: page.name)
def test_manuals_name_verbs_that_are_there(page: Path) -> None:
    groups = {names[0]: {each[1] for each, _ in ALL if each[0] == names[0] and len(each) > 1} for names, _ in ALL}
    named = re.findall(r"(?:`|\$ |^    )calserver (\w[\w-]*)(?: (\w[\w-]*))?", page.read_text(), re.MULTILINE)
    assert [each for each in named if each[0] not in groups] == []
    assert [each for each in named if groups[each[0]] and each[1] not in groups[each[0]] | {""}] == []
