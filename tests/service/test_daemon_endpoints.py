"""Where the server listens: TLS, HTTP/2, unix sockets, behind proxies and balancers; and the administration port."""

import socket
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread
from wire import request

pytestmark = pytest.mark.filterwarnings(
    "ignore:Passing pyOpenSSL (X509|PKey) objects is deprecated"  # it is Twisted that passes them
)

AUTHORIZATION = "Authorization: Basic YW5uOmdlaGVpbQ=="
FILE = "/dav/drive/user/ann/a.txt"


# -- TLS and HTTP/2 ------------------------------------------------------------------------------------------------


def tls(certificate: Path) -> tuple[str, ...]:
    return (f"ssl:0:interface=127.0.0.1:privateKey={certificate}:certKey={certificate}",)


@pytest_twisted.ensureDeferred
async def test_tls_carries_http_1(start, certificate):
    house = await start(listen=tls(certificate))
    wire = await house.connect(tls=True)
    assert (await wire.ask(request("PUT", FILE, AUTHORIZATION, body=b"x" * 300_000))).status == 201
    assert (await wire.ask(request("GET", FILE, AUTHORIZATION))).body == b"x" * 300_000
    page = await wire.ask(request("GET", "/"))
    assert b"https://cal.example.org/dav/" in page.body


class Http2:
    """A client of HTTP/2 for one request at a time."""

    def __init__(self, wire):
        self.wire = wire
        self.machine = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.machine.initiate_connection()

    async def ask(self, method, path, *fields, body=b"", end=True):
        stream = self.machine.get_next_available_stream_id()
        names = [(":method", method), (":path", path), (":scheme", "https"), (":authority", "cal.example.org"), *fields]
        self.machine.send_headers(stream, names, end_stream=not body and end)
        self._flush()
        status, headers, content, ended = 0, {}, b"", False
        while not ended:
            while body and (room := self.room(stream)):
                part, body = body[:room], body[room:]
                self.machine.send_data(stream, part, end_stream=not body and end)
            self._flush()
            for event in await self._events():
                if isinstance(event, h2.events.ResponseReceived):
                    headers = dict(event.headers)
                    status = int(headers[":status"])
                elif isinstance(event, h2.events.DataReceived):
                    content += event.data
                    self.machine.acknowledge_received_data(event.flow_controlled_length, stream)
                elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                    ended = True
            ended = ended or (status == 413 and bool(end))
        return status, headers, content

    def room(self, stream):
        return min(self.machine.local_flow_control_window(stream), self.machine.max_outbound_frame_size)

    async def _events(self):
        while not self.wire.received:
            assert not self.wire.closed
            await self.wire.more()
        data = bytes(self.wire.received)
        self.wire.received.clear()
        return self.machine.receive_data(data)

    def _flush(self):
        self.wire.send(self.machine.data_to_send())


async def http2(house):
    wire = await house.connect(tls=True, alpn=(b"h2", b"http/1.1"))
    wire.send(b"")
    client = Http2(wire)
    client._flush()
    return client


CREDENTIALS = ("authorization", "Basic YW5uOmdlaGVpbQ==")


@pytest_twisted.ensureDeferred
async def test_tls_carries_http_2(start, certificate):
    house = await start(listen=tls(certificate))
    client = await http2(house)
    status, headers, _ = await client.ask("OPTIONS", "/dav/", CREDENTIALS)
    assert status == 200
    assert "calendar-access" in headers["dav"]
    assert headers["x-request-id"]
    assert (await client.ask("PUT", FILE, CREDENTIALS, body=b"y" * 200_000))[0] == 201
    status, headers, content = await client.ask("GET", FILE, CREDENTIALS)
    assert (status, headers["content-length"], content) == (200, "200000", b"y" * 200_000)
    assert (await client.ask("HEAD", FILE, CREDENTIALS))[2] == b""
    assert (await client.ask("GET", FILE))[0] == 401


@pytest_twisted.ensureDeferred
async def test_large_answers_are_streamed_over_http_2(start, certificate):
    house = await start(listen=tls(certificate))
    client = await http2(house)
    body = bytes(range(256)) * 8192
    assert (await client.ask("PUT", FILE, CREDENTIALS, body=body))[0] == 201
    assert (await client.ask("GET", FILE, CREDENTIALS))[2] == body


@pytest_twisted.ensureDeferred
async def test_large_bodies_are_refused_over_http_2(start, certificate):
    house = await start("[dav]\nbody_bytes = 100_000", listen=tls(certificate))
    client = await http2(house)
    status, _, _ = await client.ask("PUT", FILE, CREDENTIALS, ("content-length", "200000"), body=b"y" * 200_000)
    assert status == 413
    client = await http2(house)
    assert (await client.ask("PUT", FILE, CREDENTIALS, body=b"y" * 200_000))[0] == 413


@pytest.mark.parametrize("path", ["/dav/\u00e9", "/dav/a b", "/dav/a#b", "dav/", "*"])
@pytest_twisted.ensureDeferred
async def test_paths_are_checked_in_http_2_too(start, certificate, path):
    house = await start(listen=tls(certificate))
    client = await http2(house)
    assert (await client.ask("GET", path, CREDENTIALS))[0] == 400


@pytest_twisted.ensureDeferred
async def test_http_2_is_a_setting(start, certificate):
    house = await start("[server]\nhttp2 = false", listen=tls(certificate))
    wire = await house.connect(tls=True, alpn=(b"h2", b"http/1.1"))
    assert (await wire.ask(request("GET", "/"))).status == 200
    assert wire.transport.negotiatedProtocol == b"http/1.1"


@pytest_twisted.ensureDeferred
async def test_connections_in_http_2_are_closed_when_the_server_stops(start, certificate):
    house = await start(listen=tls(certificate))
    client = await http2(house)
    assert (await client.ask("OPTIONS", "/dav/", CREDENTIALS))[0] == 200
    await house.daemon.stopService()
    await client.wire.until_closed()


# -- proxies -------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_unix_sockets_are_endpoints(start, tmp_path):
    path = str(tmp_path / "http.sock")
    await start(listen=(f"unix:{path}",))

    def ask() -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            client.sendall(request("OPTIONS", "/dav/", AUTHORIZATION, "Connection: close"))
            with client.makefile("rb") as received:
                return received.read()

    assert (await deferToThread(ask)).startswith(b"HTTP/1.1 200 ")


BELIEVED = '[server]\ntrusted_proxies = ["127.0.0.0/8"]\n[log]\naccess_file = "access.log"'
FOREIGN = ("X-Forwarded-For: 192.0.2.1", "X-Forwarded-Host: public.example")


@pytest_twisted.ensureDeferred
async def test_a_trusted_proxy_tells_of_client_scheme_and_id(start):
    house = await start(BELIEVED)
    answer = await house.ask("OPTIONS", "/dav/", *FOREIGN, "X-Forwarded-Proto: https", "X-Request-Id: outer-1")
    assert answer.status == 200
    assert answer.headers["x-request-id"] == "outer-1"
    page = await house.ask("GET", "/", *FOREIGN, "X-Forwarded-Proto: https")
    assert b"https://public.example/dav/" in page.body
    first = (house.folder / "access.log").read_text().splitlines()[0]
    assert first.startswith("192.0.2.1 - ann [")
    assert " outer-1 " in first


@pytest_twisted.ensureDeferred
async def test_passwords_are_not_taken_in_plain_text_from_elsewhere(start):
    house = await start(BELIEVED)
    answer = await house.ask("OPTIONS", "/dav/", *FOREIGN, "X-Forwarded-Proto: http")
    assert answer.status == 403
    assert "www-authenticate" not in answer.headers


@pytest_twisted.ensureDeferred
async def test_nobody_else_is_believed(start):
    house = await start('[server]\ntrusted_proxies = ["192.0.2.0/24"]')
    answer = await house.ask("OPTIONS", "/dav/", *FOREIGN, "X-Forwarded-Proto: http", "X-Request-Id: outer-1")
    assert answer.status == 200
    assert answer.headers["x-request-id"] != "outer-1"
    assert b"public.example" not in (await house.ask("GET", "/", *FOREIGN)).body


@pytest.mark.parametrize(("trusted", "status"), [('["127.0.0.0/8"]', 403), ("[]", 200)])
@pytest_twisted.ensureDeferred
async def test_the_proxy_protocol_is_believed_from_trusted_balancers(start, trusted, status):
    """192.0.2.1 may not send passwords in plain text; the balancer itself, on loopback, may."""
    house = await start(f"[server]\ntrusted_proxies = {trusted}", listen=("haproxy:tcp:0:interface=127.0.0.1",))
    wire = await house.connect()
    wire.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 443\r\n")
    assert (await wire.ask(request("OPTIONS", "/dav/", AUTHORIZATION))).status == status


@pytest_twisted.ensureDeferred
async def test_a_connection_without_the_proxy_protocol_is_closed_where_it_is_expected(start):
    house = await start(listen=("haproxy:tcp:0:interface=127.0.0.1",))
    wire = await house.connect()
    wire.send(request("OPTIONS", "/dav/", AUTHORIZATION))
    assert await wire.until_closed() == b""


# -- administration ------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_metrics_are_on_the_administration_port_only(house):
    await house.ask("OPTIONS", "/dav/")
    await house.ask("OPTIONS", "/dav/", "Authorization: Basic eDp5")
    answer = await house.ask("GET", "/metrics", index=1)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    text = answer.body.decode()
    assert 'calserver_requests_total{method="OPTIONS",status="200"} 1.0' in text
    assert 'calserver_requests_total{method="OPTIONS",status="401"} 1.0' in text
    assert 'calserver_logins_total{outcome="succeeded"} 1.0' in text
    assert 'calserver_logins_total{outcome="failed"} 1.0' in text
    assert "calserver_store_seconds_count 1.0" in text
    assert "calserver_requests_in_flight 0.0" in text
    assert "process_resident_memory_bytes" in text
    assert (await house.ask("GET", "/metrics")).status == 404
    assert (await house.ask("GET", "/health")).status == 404
    assert (await house.ask("OPTIONS", "/dav/", index=1)).status == 404


@pytest_twisted.ensureDeferred
async def test_health_is_that_of_the_store(house, monkeypatch):
    assert (await house.ask("GET", "/health", index=1)).status == 200
    await house.daemon._closing[1]()
    assert (await house.ask("GET", "/health", index=1)).status == 503


@pytest_twisted.ensureDeferred
async def test_metrics_are_a_setting(start):
    house = await start("[metrics]\nenabled = false")
    assert (await house.ask("GET", "/metrics", index=1)).status == 404
    assert (await house.ask("GET", "/health", index=1)).status == 200
