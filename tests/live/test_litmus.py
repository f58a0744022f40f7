"""WebDAV as litmus, the protocol's own test program, sees it: all five suites on a drive."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from daemon import Daemon

SUITES = ("basic", "copymove", "props", "locks", "http")


@pytest.mark.parametrize("suite", SUITES)
def test_litmus_passes(suite: str, daemon: Daemon, program: Callable[[str], str], tmp_path: Path) -> None:
    done = subprocess.run(
        [program("litmus"), f"{daemon.url}dav/drive/user/ann/", "ann", "ann"],
        env=os.environ | {"TESTS": suite},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    summary = re.search(rf"summary for `{suite}': of (\d+) tests run: (\d+) passed, (\d+) failed", done.stdout)
    assert summary, done.stdout + done.stderr
    assert summary[3] == "0", done.stdout
    assert summary[1] == summary[2], done.stdout
    assert int(summary[1]) >= 3, "litmus skipped nearly everything:\n" + done.stdout
    assert "WARNING" not in done.stdout, done.stdout
