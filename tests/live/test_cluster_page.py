"""What docs/cluster.md has administrators type is typed as it stands there, on other ports."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from daemon import free_port

PAGE: Final = Path(__file__).parents[2] / "docs" / "cluster.md"
SECONDS: Final = 600
SECURE: Final = {"f1": "8113", "f2": "8123", "b1": "8133", "b2": "8143"}
"""Where nodes reach each other."""


@pytest.mark.slow
def test_from_one_server_to_four_nodes(program: Callable[[str], str], tmp_path: Path) -> None:
    for each in ("curl", "openssl"):
        program(each)
    commands = "".join(re.findall(r"(?ms)^```sh\n(.*?)^```$", PAGE.read_text()))
    ports = {each: str(free_port()) for each in sorted(set(re.findall(r"\b81[1-4][1-3]\b", commands)))}
    assert len(ports) > 10
    # the next one is counted there, which free ports are not
    commands = commands.replace("port=8113\n", "").replace("    port=$((port + 10))\n", "")
    secure = " ".join(f"[{node}]={ports[port]}" for node, port in SECURE.items())
    commands = commands.replace("ssl:$port:", "ssl:${secure[$node]}:")
    commands = re.sub(r"\b81[1-4][1-3]\b", lambda found: ports[found[0]], commands)
    script = f"set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\ndeclare -A secure=({secure})\n"
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-c", script + "set -x\n" + commands],
        cwd=tmp_path,
        env={"PATH": path, "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
    assert re.search(r"(?m)^b1 +backend +https://localhost:\d+ +2", done.stdout), done.stdout
    assert re.search(r"(?m)^user +carol +b2", done.stdout), done.stdout
