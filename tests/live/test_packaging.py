"""The wheel: what is in it, and that it comes into another project's environment and leaves it again without traces."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import twisted

ROOT = Path(__file__).parent.parent.parent


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_the_packages_the_plugin_and_nothing_of_twisted(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert {name.split("/")[0] for name in names} == {"calserver", "ischedule", "twisted"}
    assert [name for name in names if name.startswith("twisted/")] == ["twisted/plugins/calserver_plugin.py"]
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "calserver").rglob("*.py")}
    assert modules <= set(names)


def test_it_is_installed_found_by_twistd_and_removed_without_traces(wheel: Path, tmp_path: Path) -> None:
    """An `__init__.py` in our `twisted/plugins` would replace Twisted's own, and uninstalling would delete that."""
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    (site,) = environment.glob("lib/python3*/site-packages")
    dependencies = Path(twisted.__file__).parent.parent
    (site / "dependencies.pth").write_text(f"{dependencies}\n")
    twistd = (python, "-c", "from twisted.scripts.twistd import run; run()")
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    assert "CalDAV and iSchedule server" not in run(*twistd, "--help", cwd=tmp_path)
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel)
    assert "CalDAV and iSchedule server" in run(*twistd, "--help", cwd=tmp_path)
    assert "--config" in run(*twistd, "calserver", "--help", cwd=tmp_path)
    assert "calendar server" in run(environment / "bin" / "calserver", "--help", cwd=tmp_path)
    run(*pip, "uninstall", "--quiet", "--yes", "calserver")
    assert "CalDAV and iSchedule server" not in run(*twistd, "--help", cwd=tmp_path)
    run(python, "-c", "import twisted.web.server", cwd=tmp_path)
    assert not (site / "calserver").exists()
