"""What ``make run`` does: two organizations on one machine, between which a meeting crosses."""

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from daemon import CALSERVER, Connection, free_port

PATIENCE_SECONDS = 60.0


def once(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*CALSERVER, "demo", *map(str, arguments), "--once"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def heed_interrupts() -> None:
    """Undo what shells do to whatever they start in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def running(arguments: Sequence[str], says: str) -> Iterator[list[str]]:
    """The demonstration, from when it has said something until Ctrl-C."""
    process = subprocess.Popen(
        [*CALSERVER, "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heed_interrupts,
    )
    assert process.stdout is not None
    printed: list[str] = []
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        for line in process.stdout:
            printed.append(line)
            assert time.monotonic() < deadline, printed
            if says in line:
                break
        else:
            raise AssertionError("".join(printed))
        yield printed
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert "Traceback" not in rest, rest


def test_once_means_that_invitation_answer_and_free_busy_time_have_crossed() -> None:
    done = once()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "in the calendar of sam@south.example: NEEDS-ACTION" in done.stdout
    assert "in the calendar of ann@north.example: ACCEPTED, delivery status 2.0" in done.stdout
    assert "cal.south.example answers: 2" in done.stdout


def test_what_does_not_cross_is_said_and_is_a_failure(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert once(folder).returncode == 0
    south = folder / "south" / "calserver.toml"
    text = south.read_text()
    south.write_text(text.replace("#deny = []", 'deny = ["north.example"]'))
    done = once(folder)
    assert done.returncode == 1
    assert "did not arrive" in done.stderr
    assert done.stderr.count("\n") == 1


def test_it_stays_up_for_clients_and_keeps_what_they_do(tmp_path: Path) -> None:
    folder, ports = tmp_path / "data", [free_port(), free_port()]
    listen = [f"tcp:{port}:interface=127.0.0.1" for port in ports]
    arguments = [str(folder), "--listen", listen[0], "--south", listen[1]]
    home = "/dav/calendars/user/ann/"
    with running(arguments, "Ctrl-C") as printed:
        assert f"http://127.0.0.1:{ports[0]}/" in "".join(printed)
        assert "delivery status 2.0" in "".join(printed)
        with Connection(ports[0], "ann", "demo") as ann:
            assert "SUMMARY:Lunch: Ann and Bob" in ann.request("GET", home + "Default/").text
            assert "SUMMARY:Run" in ann.request("GET", home + "Sports/").text
            assert ann.request("DELETE", home + "Default/lunch.ics").status == 204
        with Connection(ports[0], "admin", "demo") as admin:
            assert "Team meeting" in admin.request("GET", "/dav/calendars/location/meeting-room/Default/").text
        with Connection(ports[1], "sam", "demo") as sam:
            assert "Meeting of North and South" in sam.request("GET", "/dav/calendars/user/sam/Default/").text
    for port in ports:
        try:
            Connection(port, "ann", "demo").request("GET", home)
        except ConnectionRefusedError:
            continue
        raise AssertionError("a server has not ended with the demonstration")
    with running(arguments, "Ctrl-C"), Connection(ports[0], "ann", "demo") as ann:
        assert ann.request("GET", home + "Default/lunch.ics").status == 404
        assert ann.request("GET", home + "Default/team.ics").status == 200
