"""The twistd drop-in, as people install it: it shows up, and leaves Twisted as it was when it goes."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parents[2]
TWISTD = ("-c", "from twisted.scripts.twistd import run; run()")


@attrs.frozen
class Environment:
    """A Python environment with Twisted in it, and without us."""

    folder: Path

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CALSERVER"))
        }
        return subprocess.run(
            [str(self.folder / "bin" / "python"), *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """What is installed beside us, linked into a new environment: nothing is downloaded."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    site = next(folder.glob("lib/python*/site-packages"))
    shutil.copytree(
        sysconfig.get_path("purelib"),
        site,
        copy_function=link,
        ignore=shutil.ignore_patterns("*calserver*", "dropin.cache", "__pycache__"),
        dirs_exist_ok=True,
    )
    yield Environment(folder)
    shutil.rmtree(folder)


def link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def test_the_wheel_has_our_packages_the_plugin_and_nothing_of_twisted(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if name.startswith("twisted/")] == ["twisted/plugins/calserver_plugin.py"]
    assert {name.split("/")[0].split("-")[0] for name in names} == {"calserver", "ischedule", "twisted"}


@pytest.mark.slow
def test_twistd_has_the_plugin_while_it_is_installed(wheel, environment):
    before = environment.python(*TWISTD, "calserver", "--help")
    assert before.returncode != 0
    installed = environment.python("-m", "pip", "install", "--no-deps", "--no-index", str(wheel))
    assert installed.returncode == 0, installed.stderr
    usage = environment.python(*TWISTD, "--help")
    assert "CalDAV and iSchedule server" in usage.stdout
    options = environment.python(*TWISTD, "calserver", "--help")
    assert options.returncode == 0, options.stderr
    assert "--config=" in options.stdout
    assert "--listen=" in options.stdout
    removed = environment.python("-m", "pip", "uninstall", "--yes", "calserver")
    assert removed.returncode == 0, removed.stderr
    after = environment.python("-c", "import twisted.web.server, twisted.plugins; print(twisted.plugins.__file__)")
    assert after.returncode == 0, after.stderr
    assert after.stdout.startswith(str(environment.folder))
    assert environment.python(*TWISTD, "calserver", "--help").returncode != 0
