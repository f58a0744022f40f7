"""The ratchet: what an independent conformance suite found right must stay right."""

from collections.abc import Callable
from pathlib import Path

import pytest
from conformance import SUITE, accounts, configure, measure, passed_fairly, passing
from daemon import Daemon


@pytest.mark.skipif(not (SUITE / "run").exists(), reason="the conformance suite is not on this machine")
def test_what_passed_passes_still(make_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    listed = passing()
    suites = sorted({line.partition("\t")[0] for line in listed})
    assert suites
    daemon = make_daemon(accounts())
    configure(daemon)
    daemon.start()
    tests, printed = measure(daemon, suites, tmp_path)
    passed = passed_fairly(tests)
    lost = [line for line in listed if line not in passed]
    assert not lost, f"{len(lost)} tests passed before:\n" + "\n".join(lost) + "\n\n" + printed
