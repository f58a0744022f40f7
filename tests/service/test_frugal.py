"""What a process does not keep: memory that is free, and what nobody needs."""

import subprocess
import sys

import pytest

MEGABYTE = 1_000_000


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


THREADS = """
import re, threading
from pathlib import Path
from calserver.service.memory import be_frugal, give_back

def resident():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

def use():
    large = [b"x" * 100_000 for _ in range(100)]
    started.wait()
    small = b"y" * 40_000
    used.wait()
    del large, small
    ended.wait()

be_frugal()
started, used, ended = (threading.Barrier(9) for _ in range(3))
threads = [threading.Thread(target=use) for _ in range(8)]
before = resident()
for each in threads:
    each.start()
for each in (started, used, ended):
    each.wait()
for each in threads:
    each.join()
give_back()
print(resident() - before)
"""


def test_what_threads_have_used_goes_back_to_the_system():
    kept = int(run(THREADS))
    assert kept < 12 * MEGABYTE


@pytest.mark.parametrize("module", ["sqlalchemy.dialects.postgresql", "psycopg", "icalendar", "alembic"])
def test_a_server_over_sqlite_does_not_load(module):
    """Each is some megabytes in every process, and a tenth of a second of its start."""
    program = f"""
import sys
from calserver.config import Config
from calserver.service import twistd, worker
from calserver.store import open_store
import tempfile
folder = tempfile.mkdtemp()
store = open_store(f"sqlite:///{{folder}}/a.sqlite", reactor=None)
store.read_now(lambda txn: txn.principals.revision())
store.close()
print({module!r} in sys.modules)
"""
    assert run(program) == "False\n"
