"""Run an independent conformance suite against a server of ours: for the ratchet test, and for people.

    scripts/conformance                          the suites of what calserver speaks, with what failed
    scripts/conformance CalDAV/reports.xml -v    one of them, with the requests and answers of failures
    scripts/conformance --update                 and write down what passes: a test of the list must not fail again

The suite is a program of its own with its own data. It is looked for where CALSERVER_CONFORMANCE says, or beside the
checkout. What passed is kept in tests/data/conformance-passing.txt.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from daemon import Daemon
from murder import Murder

ROOT = Path(__file__).parent.parent.parent
SUITE = Path(os.environ.get("CALSERVER_CONFORMANCE") or ROOT.parent / "shared" / "conformance")
PASSING = ROOT / "tests" / "data" / "conformance-passing.txt"

SPOKEN = """
put get delete errors duplicate_uids vtodos attachments ical-client reports depthreports json mkcalendar webcal propfind
proppatch conditional nonascii options current-user-principal expandproperty sync-report add-member resourceid quota
prefer ctag bulk well-known rscale availability schedulepost scheduleprops acl depthreportsacl
calendaruserproxy sharing-calendars sharing-create sharing-errors sharing-feature sharing-freebusy
sharing-groups sharing-multiple sharing-peruser-properties sharing-quota sharing-replies sharing-sync sharing-unshare
sharing-webcal
implicitauto1 implicitauto11 implicitauto12 implicitauto3 implicitauto4 implicitauto6 implicitauto8 implicitauto9
implicitautomodes implicitautomultiple implicitbadclients implicitcancels implicitcompatibility implicitcopymove
implicitdefaultcalendar implicitdeletecalendar impliciterrors implicitgroup implicitlarge implicitpartstatchange
implicitpublicproperties implicitrecur1 implicitscenario2 implicitscheduletag implicitsequence implicitsharing
implicitxdash
"""
"""The suites of what this server speaks."""


def passing() -> list[str]:
    """The tests that passed when the list was written, as ``suite<TAB>group/test``."""
    if not PASSING.exists():
        return []
    return [line for line in PASSING.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def key(test: dict[str, Any]) -> str:
    """How a test is called in the list."""
    return f"{test['suite']}\t{test['group']}/{test['test']}"


def passed_fairly(tests: list[dict[str, Any]]) -> set[str]:
    """What passed, without tests that the suite itself counts apart: they ask for quirks of another server."""
    return {key(each) for each in tests if each["status"] == "passed" and not each.get("unfair")}


def measure(daemon: Daemon, suites: list[str], folder: Path, *options: str) -> tuple[list[dict[str, Any]], str]:
    """Run suites against a running daemon; returns the result of each test, and what the suite printed."""
    results = folder / "conformance.json"
    command = [sys.executable, str(SUITE / "run"), "--url", daemon.url.rstrip("/"), "--json", str(results), *options]
    done = subprocess.run(
        [*command, "--suite", *suites],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    if not results.exists():
        raise RuntimeError(done.stdout + done.stderr)
    return json.loads(results.read_text(encoding="utf-8"))["tests"], done.stdout


def configure(daemon: Daemon) -> None:
    """Configure a server as the suite expects it: it knows no public calendars."""
    text = daemon.config.read_text(encoding="utf-8")
    daemon.config.write_text(text.replace("#anonymous = true", "anonymous = false"), encoding="utf-8")


def accounts() -> str:
    """The accounts that the suites need."""
    return (SUITE / "accounts.csv").read_text(encoding="utf-8")


def main() -> int:
    """Exit status 1 where a test failed that is in the list."""
    parser = argparse.ArgumentParser(
        prog="scripts/conformance", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    spoken = [f"CalDAV/{name}.xml" for name in SPOKEN.split()] + ["CardDAV/aclreports.xml"]
    parser.add_argument("suites", nargs="*", metavar="SUITE", default=spoken)
    parser.add_argument("-v", "--verbose", action="store_true", help="show requests and answers of failures")
    parser.add_argument("--store", default="", metavar="URL", help="an empty database; SQLite unless told")
    parser.add_argument("--murder", action="store_true", help="through a front end before two nodes")
    parser.add_argument("--update", action="store_true", help="write the list of passing tests anew")
    arguments = parser.parse_args()
    if not (SUITE / "run").exists():
        parser.error(f"there is no suite in {SUITE}; set CALSERVER_CONFORMANCE")
    with tempfile.TemporaryDirectory(prefix="conformance-") as name:
        folder = Path(name)
        server = (
            Murder(folder, accounts()) if arguments.murder else Daemon(folder / "server", accounts(), arguments.store)
        )
        daemons = list(server.nodes.values()) if isinstance(server, Murder) else [server]
        for each in daemons:
            configure(each)
        with server:
            tests, printed = measure(daemons[0], list(arguments.suites), folder, *["--verbose"] * arguments.verbose)
            sys.stdout.write(printed)
    ran = {each["suite"] for each in tests}
    passed = passed_fairly(tests)
    lost = [line for line in passing() if line.partition("\t")[0] in ran and line not in passed]
    if lost:
        print(f"\n{len(lost)} tests passed before:", *lost, sep="\n  ")
    if arguments.update:
        kept = {line for line in passing() if line.partition("\t")[0] not in ran}
        PASSING.write_text(
            "# Tests of the conformance suite that pass; scripts/conformance --update writes this file.\n"
            + "".join(f"{line}\n" for line in sorted(kept | passed)),
            encoding="utf-8",
        )
        return 0
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
