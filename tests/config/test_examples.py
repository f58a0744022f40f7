"""The examples in `conf/` are what the programs take that they are for."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from certificates import Authority

CONF: Final = Path(__file__).parents[2] / "conf"
CALSERVER: Final = (sys.executable, "-m", "calserver.cli")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and its key in one file."""
    found = tmp_path_factory.mktemp("certificate") / "both.pem"
    found.write_bytes(b"".join(Authority().pem_for("cal.example.org")))
    return found


@pytest.mark.parametrize("name", ["calserver.toml", "workers.toml", "cluster/frontend.toml", "cluster/backend.toml"])
def test_configurations_are_all_right(name: str, tmp_path: Path) -> None:
    text, config = (CONF / name).read_text(), tmp_path / "calserver.toml"
    config.write_text(text)
    for each in re.findall(r'(?m)^\w+_file = "(.+)"', text):
        (tmp_path / each).write_text("postgresql://calserver@db.example.org/x\n")
    if node := re.search(r'(?m)^node = "(.+)"', text):  # the example cannot hold the key that is made here
        key = run(*CALSERVER, "cluster", "key", "--config", config).stdout.strip()
        theirs = rf"(?<=\[cluster\.nodes\.{node[1]}\]\n)(url = .+\nkey = ).+"
        config.write_text(re.sub(theirs, rf'\1"{key}"', text))
    done = run(*CALSERVER, "config", "check", "--config", config)
    assert (done.returncode, done.stderr) == (0, "")


def test_nodes_agree_on_nodes() -> None:
    tables = [(CONF / "cluster" / f"{role}.toml").read_text().partition("[cluster.nodes")[2] for role in ROLES]
    assert tables[0] == tables[1]


ROLES: Final = ("frontend", "backend")


@pytest.mark.parametrize("name", ["haproxy.cfg", "cluster/haproxy.cfg"])
def test_haproxy_takes_its_examples(
    program: Callable[[str], str], name: str, certificate: Path, tmp_path: Path
) -> None:
    text = (CONF / name).read_text().replace("/etc/haproxy/cal.example.org.pem", str(certificate))
    (tmp_path / "haproxy.cfg").write_text(text)
    done = run(program("haproxy"), "-c", "-f", tmp_path / "haproxy.cfg")
    assert (done.returncode, "WARNING" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize("name", ["nginx.conf", "cluster/nginx.conf"])
def test_nginx_takes_its_examples(program: Callable[[str], str], name: str, certificate: Path, tmp_path: Path) -> None:
    text = re.sub(r"/etc/ssl/\S+\.pem", str(certificate), (CONF / name).read_text())
    text = re.sub(
        r"listen (\[::\]:)?443", f"listen unix:{tmp_path}/socket", text.replace("listen [::]:443 ssl http2;", "")
    )
    main = f"pid {tmp_path}/pid; error_log stderr; events {{ }} http {{ access_log off; {text} }}"
    (tmp_path / "nginx.conf").write_text(main)
    done = run(program("nginx"), "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf")
    assert (done.returncode, "[warn]" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize("name", ["calserver.service", "calserver@.service"])
def test_systemd_takes_the_units(program: Callable[[str], str], name: str, tmp_path: Path) -> None:
    there = shutil.which("true")
    assert there is not None
    text = (CONF / name).read_text().replace("/opt/calserver/bin/calserver", there)
    unit = tmp_path / name.replace("@", "@b1")
    (tmp_path / name).write_text(text)
    unit.write_text(text)
    done = run(program("systemd-analyze"), "verify", "--man=no", unit)
    assert (done.returncode, done.stderr) == (0, "")
