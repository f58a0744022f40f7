"""HTTP/2 as nobody should speak it, and clients that are slow on purpose, to a real server with short deadlines."""

import contextlib
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import pytest
from certificates import Authority
from daemon import ACCOUNTS, Daemon, free_port
from hostile import AT_ONCE_SECONDS, FILES, credentials, everything, furnish
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame, PriorityFrame, WindowUpdateFrame

INITIAL_WINDOW_SIZE = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE
HEADER_TABLE_SIZE = h2.settings.SettingCodes.HEADER_TABLE_SIZE
DEADLINE_SECONDS = 10.0
PAUSE_SECONDS = 0.2
"""Between two bytes of a slow client, less than the deadlines of the server."""
LARGE = FILES + "large.txt"
SETTINGS = """
request_timeout_seconds = 1.0
idle_timeout_seconds = 2.0
"""


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A server with short deadlines, over TLS too."""
    folder = tmp_path_factory.mktemp("hurried")
    daemon = Daemon(folder / "server", ACCOUNTS)
    (folder / "tls.pem").write_bytes(b"".join(reversed(Authority().pem_for("localhost", "127.0.0.1"))))
    tls = f"ssl:{free_port()}:interface=127.0.0.1:privateKey={folder}/tls.pem:certKey={folder}/tls.pem"
    text = daemon.config.read_text()
    text = re.sub(r"(?m)^listen = \[(.*)\]$", lambda found: f'listen = [{found[1]}, "{tls}"]{SETTINGS}', text)
    daemon.config.write_text(text)
    with daemon:
        furnish(daemon)
        with daemon.connect("ann") as ann:
            assert ann.request("PUT", LARGE, b"x" * 200_000, Content_Type="text/plain").status == 201
        yield daemon
        assert "Traceback" not in daemon.log.read_text(encoding="utf-8")


class Client:
    """One connection of HTTP/2, whose frames can be ours."""

    def __init__(self, daemon: Daemon, window: int = 65_535) -> None:
        found = re.search(r"ssl:(\d+):interface", daemon.config.read_text())
        assert found
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        raw = socket.create_connection(("127.0.0.1", int(found[1])), timeout=DEADLINE_SECONDS)
        self.socket = context.wrap_socket(raw)
        self.machine = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True,
                header_encoding="utf-8",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.machine.initiate_connection()
        self.machine.update_settings({INITIAL_WINDOW_SIZE: window})
        self.flush()
        self.status: dict[int, int] = {}
        self.content: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.closed = False

    def flush(self) -> None:
        self.send(self.machine.data_to_send())

    def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.socket.sendall(data)

    def frame(self, frame: Frame) -> None:
        self.send(frame.serialize())

    def fields(self, method: str = "GET", path: str = LARGE, *more: tuple[str, str]) -> list[tuple[str, str]]:
        return [
            (":method", method), (":path", path), (":scheme", "https"), (":authority", "localhost"),
            ("authorization", credentials("ann")), *more,
        ]  # fmt: skip

    def block(self, *more: tuple[str, str], **named: str) -> bytes:
        return bytes(self.machine.encoder.encode(self.fields(*named.values(), *more)))

    def ask(self, method: str = "GET", path: str = LARGE, *more: tuple[str, str], end: bool = True) -> int:
        stream: int = self.machine.get_next_available_stream_id()
        self.machine.send_headers(stream, self.fields(method, path, *more), end_stream=end)
        self.flush()
        return stream

    def hear(self, seconds: float = DEADLINE_SECONDS) -> None:
        """Take what comes within a time, or the first of it."""
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(65_536)
        except TimeoutError:
            return
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return
        try:
            events = self.machine.receive_data(data)
        except h2.exceptions.ProtocolError:
            return
        for event in events:
            if isinstance(event, h2.events.ResponseReceived):
                self.status[event.stream_id] = int(dict(event.headers)[":status"])
            elif isinstance(event, h2.events.DataReceived):
                self.content[event.stream_id] = self.content.get(event.stream_id, b"") + event.data
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                self.ended.add(event.stream_id)
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.closed = True

    def until(self, reached: Callable[[], bool], meanwhile: Callable[[], None] = lambda: None) -> None:
        """Go on hearing until something is so, doing something slowly meanwhile."""
        deadline, again = time.monotonic() + DEADLINE_SECONDS, 0.0
        while not reached():
            assert time.monotonic() < deadline, "the server lets it go on"
            if time.monotonic() > again:
                meanwhile()
                again = time.monotonic() + PAUSE_SECONDS
            self.hear(PAUSE_SECONDS)


@pytest.fixture
def connect(hurried: Daemon) -> Iterator[Callable[..., Client]]:
    """Opens connections; behind the test nothing is changed, and the server has time for others."""
    before = everything(hurried)
    made: list[Client] = []

    def begin(**options: int) -> Client:
        made.append(Client(hurried, **options))
        return made[-1]

    yield begin
    assert everything(hurried) == before
    other = begin()
    began = time.monotonic()
    stream = other.ask("HEAD")
    other.until(lambda: stream in other.ended)
    assert (other.status[stream], time.monotonic() - began < AT_ONCE_SECONDS) == (200, True)
    for each in made:
        each.socket.close()


def cpu_seconds(daemon: Daemon) -> float:
    """What the server has computed so far."""
    fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


# -- too slow ------------------------------------------------------------------------------------------------------


def test_a_body_that_trickles_in_is_given_up(connect: Callable[..., Client]) -> None:
    client = connect()
    stream = client.ask("PUT", FILES + "new", end=False)

    def trickle() -> None:
        client.machine.ping(b"12345678")
        if stream not in client.ended:
            client.machine.send_data(stream, b"x")
        client.flush()

    client.until(lambda: stream in client.ended, trickle)
    assert client.status[stream] == 408
    assert not client.closed


def test_an_empty_body_that_never_ends_is_given_up(connect: Callable[..., Client]) -> None:
    client = connect()
    stream = client.ask("PUT", FILES + "new", end=False)
    client.until(lambda: stream in client.ended, lambda: client.frame(DataFrame(stream, b"")))
    assert client.status[stream] == 408


def test_fields_that_trickle_in_are_given_up(connect: Callable[..., Client]) -> None:
    client = connect()
    block = client.block(("x", "y" * 1000))
    client.frame(HeadersFrame(1, block[:1]))
    at = iter(block[1:])
    client.until(lambda: client.closed, lambda: client.frame(ContinuationFrame(1, bytes([next(at)]))))


def test_a_frame_that_trickles_in_is_given_up(connect: Callable[..., Client]) -> None:
    client = connect()
    client.send(b"\x00\x40\x00\x00\x00\x00\x00\x00\x01")
    client.until(lambda: client.closed, lambda: client.send(b"x"))


def test_an_answer_that_is_not_taken_is_given_up(connect: Callable[..., Client], hurried: Daemon) -> None:
    client = connect(window=0)
    streams = [client.ask() for _ in range(5)]
    before = cpu_seconds(hurried)

    def ping() -> None:
        client.machine.ping(b"12345678")
        client.flush()

    client.until(lambda: client.ended >= set(streams), ping)
    assert client.status == dict.fromkeys(streams, 200)
    assert not client.content
    assert cpu_seconds(hurried) - before < 1.0, "waiting for a window costs time"


def test_an_answer_that_is_taken_byte_by_byte_is_given_up(connect: Callable[..., Client]) -> None:
    client = connect(window=1)
    stream = client.ask()

    def take() -> None:
        if stream not in client.ended:
            client.machine.increment_flow_control_window(1, stream)
            client.flush()

    client.until(lambda: stream in client.ended, take)
    assert 1 <= len(client.content[stream]) < 200


def test_a_window_that_opens_late_is_used(connect: Callable[..., Client]) -> None:
    client = connect(window=0)
    stream = client.ask()
    client.until(lambda: stream in client.status)
    client.machine.increment_flow_control_window(300_000, stream)
    client.machine.increment_flow_control_window(300_000)
    client.flush()
    client.until(lambda: stream in client.ended)
    assert len(client.content[stream]) == 200_000


def test_all_windows_that_open_late_are_used(connect: Callable[..., Client]) -> None:
    client = connect(window=0)
    streams = [client.ask() for _ in range(5)]
    client.until(lambda: client.status.keys() >= set(streams))
    client.machine.increment_flow_control_window(2_000_000)
    client.machine.update_settings({INITIAL_WINDOW_SIZE: 300_000})
    client.flush()
    client.until(lambda: client.ended >= set(streams))
    assert {len(each) for each in client.content.values()} == {200_000}


def drip(hurried: Daemon, first: bytes, then: bytes) -> bytes:
    """Send something, then something else again and again, slowly, until the server closes; what came."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    received = b""
    with socket.create_connection(("127.0.0.1", hurried.port), timeout=DEADLINE_SECONDS) as connection:
        connection.sendall(first)
        connection.settimeout(PAUSE_SECONDS)
        while time.monotonic() < deadline:
            try:
                more = connection.recv(65_536)
            except TimeoutError:
                with contextlib.suppress(OSError):
                    connection.sendall(then)
                continue
            except ConnectionResetError:
                return received
            received += more
            if not more:
                return received
    raise AssertionError("the server lets it go on")


HEAD = f"PUT {FILES}new HTTP/1.1\r\nHost: a\r\nAuthorization: {credentials('ann')}\r\n".encode()


@pytest.mark.parametrize(
    ("first", "then", "status"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n", b"X: y\r\n", 408, id="fields"),
        pytest.param(b"GET / HTTP/1.1\r\nX: ", b"y", 408, id="a field"),
        pytest.param(b"G", b"E", None, id="a method"),
        pytest.param(b"\r\n", b"\r\n", None, id="empty lines"),
        pytest.param(HEAD + b"Content-Length: 1000\r\n\r\n", b"x", 408, id="a body"),
        pytest.param(HEAD + b"Content-Length: 1000\r\n\r\n", b"", 408, id="no body"),
        pytest.param(HEAD + b"Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n", b"", 408, id="no body at all"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 408, id="chunks"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1", b"0", 408, id="a chunk size"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n", b"x", 408, id="a huge chunk"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n", 408, id="trailers"),
        pytest.param(b"", b"", None, id="nothing"),
    ],
)
def test_what_trickles_in_by_http_1_is_given_up(hurried: Daemon, first: bytes, then: bytes, status: int | None) -> None:
    before = everything(hurried)
    received = drip(hurried, first, then).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 %d " % status if status else b""), received
    assert everything(hurried) == before


# -- too much ------------------------------------------------------------------------------------------------------


def test_streams_that_are_reset_at_once_end_the_connection(connect: Callable[..., Client]) -> None:
    client = connect()
    for _ in range(5_000):
        stream = client.machine.get_next_available_stream_id()
        client.machine.send_headers(stream, client.fields(), end_stream=True)
        client.machine.reset_stream(stream)
    client.flush()
    client.until(lambda: client.closed)


def test_more_streams_than_there_may_be_are_refused(connect: Callable[..., Client]) -> None:
    client = connect()
    for number in range(500):
        client.frame(HeadersFrame(2 * number + 1, client.block(), flags=["END_HEADERS"]))
    client.until(lambda: client.closed)


def test_fields_that_go_on_for_ever_end_the_connection(connect: Callable[..., Client]) -> None:
    client = connect()
    client.frame(HeadersFrame(1, client.block()))
    client.send(ContinuationFrame(1, b"").serialize() * 100_000)
    client.until(lambda: client.closed)


def test_fields_that_unpack_to_much_end_the_connection(connect: Callable[..., Client]) -> None:
    client = connect()
    block = client.block(("x-a", "y" * 4_000))
    client.frame(HeadersFrame(1, block + b"\xbe" * 10_000, flags=["END_HEADERS", "END_STREAM"]))
    client.until(lambda: client.closed)


@pytest.mark.parametrize(
    "more", [[("x", "y")] * 200, [("x", "y" * 20_000)], [(f"x-{n}", "y" * 300) for n in range(60)]]
)
def test_more_fields_than_there_may_be_are_431(connect: Callable[..., Client], more: list[tuple[str, str]]) -> None:
    client = connect()
    stream = client.ask("GET", LARGE, *more)
    client.until(lambda: stream in client.ended)
    assert client.status[stream] == 431
    again = client.ask("HEAD")
    client.until(lambda: again in client.ended)
    assert client.status[again] == 200


def test_pings_and_settings_without_end_are_no_trouble(connect: Callable[..., Client]) -> None:
    client = connect()
    for _ in range(20_000):
        client.machine.ping(b"12345678")
        client.machine.update_settings({HEADER_TABLE_SIZE: 4096})
    client.flush()
    stream = client.ask("HEAD")
    client.until(lambda: stream in client.ended or client.closed)


def test_priorities_without_end_are_not_kept(connect: Callable[..., Client]) -> None:
    client = connect()
    for number in range(5_000):
        client.frame(PriorityFrame(2 * number + 1, depends_on=2 * number + 3, exclusive=True, stream_weight=1))
    stream = client.ask("HEAD")
    client.until(lambda: stream in client.ended)
    assert client.status[stream] == 200


# -- malformed -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field",
    [
        ("Upper", "x"),
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("te", "gzip"),
        (":path", "/other"),
        (":unknown", "x"),
        ("x y", "z"),
        ("x", "a\r\nb: c"),
        ("x", "a\0b"),
        ("content-length", "x"),
        ("content-length", "-1"),
        ("content-length", "9" * 5_000),
        ("host", "other.example"),
    ],
    ids=lambda field: f"{field[0]}: {field[1][:20]}",
)
def test_a_malformed_field_is_refused(connect: Callable[..., Client], field: tuple[str, str]) -> None:
    client = connect()
    stream = client.ask("GET", LARGE, field)
    client.until(lambda: client.closed or stream in client.ended)
    assert client.status.get(stream, 400) == 400


@pytest.mark.parametrize(
    "lengths",
    [["1", "x"], ["5", "5"], ["0"], ["1"], ["100"], ["5, 5"], ["+5"], ["5_0"], ["9" * 5_000]],
    ids=lambda lengths: " and ".join(lengths)[:20],
)
def test_a_length_that_is_another_is_refused(connect: Callable[..., Client], lengths: list[str]) -> None:
    client = connect()
    stream = client.ask("PUT", FILES + "new", *(("content-length", each) for each in lengths), end=False)
    client.frame(DataFrame(stream, b"hello", flags=["END_STREAM"]))
    client.until(lambda: client.closed or stream in client.ended)
    assert client.status.get(stream, 400) == 400


FRAMES = {
    "data on no stream": DataFrame(1, b"x").serialize(),
    "data on the connection": b"\x00\x00\x01\x00\x00\x00\x00\x00\x00x",
    "a frame that is too large": b"\x01\x00\x00\x00\x00\x00\x00\x00\x01" + bytes(65536),
    "a window that overflows": WindowUpdateFrame(0, window_increment=2**31 - 1).serialize() * 2,
    "a window that does not grow": b"\x00\x00\x04\x08\x00\x00\x00\x00\x00" + bytes(4),
    "fields that are none": b"\x00\x00\x04\x01\x05\x00\x00\x00\x01\xff\xff\xff\xff",
    "a stream of the server": b"\x00\x00\x00\x01\x05\x00\x00\x00\x02",
    "a promise": b"\x00\x00\x04\x05\x04\x00\x00\x00\x01" + bytes(4),
    "settings of a wrong length": b"\x00\x00\x05\x04\x00\x00\x00\x00\x00" + bytes(5),
    "no frame": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 10,
}


@pytest.mark.parametrize("data", FRAMES.values(), ids=FRAMES.keys())
def test_a_malformed_frame_ends_the_connection(connect: Callable[..., Client], data: bytes) -> None:
    client = connect()
    client.send(data)
    client.until(lambda: client.closed)
