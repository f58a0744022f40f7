"""HAProxy and nginx as `conf/cluster` has them, in front of two front ends, of which one is killed."""

import base64
import re
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPSConnection
from pathlib import Path
from typing import Final

import attrs
import pytest
from certificates import Authority
from daemon import Answer, free_port
from ledger import event
from murder import Murder
from organizations import fetch, until

CONF: Final = Path(__file__).parents[2] / "conf" / "cluster"
HOME: Final = "/dav/calendars/user/ann/"
TURNS: Final = 30


@attrs.frozen
class Balancer:
    """A balancer that runs.

    Args:
        port: where it takes TLS.
        trust: what its certificate is verified with.
    """

    port: int
    trust: ssl.SSLContext

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """A request of ann, on a new connection."""
        connection = HTTPSConnection("localhost", self.port, timeout=30, context=self.trust)
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        fields["Authorization"] = "Basic " + base64.b64encode(b"ann:ann").decode()
        try:
            connection.request(method, path, body or None, fields)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def murder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Murder]:
    running = Murder(tmp_path_factory.mktemp("murder"), roles={"f1": "frontend", "f2": "frontend", "b1": "backend"})
    running.set(server__trusted_proxies=["127.0.0.0/8"], log__access_file="access.log")
    with running:
        yield running


@pytest.fixture(scope="module", params=["haproxy", "nginx"])
def balancer(
    request: pytest.FixtureRequest,
    program: Callable[[str], str],
    murder: Murder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Balancer]:
    name, folder, authority, port = request.param, tmp_path_factory.mktemp(request.param), Authority(), free_port()
    certificate = folder / "both.pem"
    certificate.write_bytes(b"".join(authority.pem_for("localhost")))
    adapted = haproxy if name == "haproxy" else nginx
    command = [program(name), *adapted(folder, murder, port, certificate)]
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("wb"))
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
        stack.callback(process.wait, 20)
        stack.callback(process.terminate)
        found = Balancer(port, ssl.create_default_context(cadata=authority.pem.decode()))
        until(lambda: answers(found), "it answers")
        yield found


def answers(balancer: Balancer) -> bool:
    try:
        return balancer.ask("PROPFIND", HOME, Depth="0").status == 207
    except OSError:
        return False


def haproxy(folder: Path, murder: Murder, port: int, certificate: Path) -> list[str]:
    """Its example with the ports that there are; returns its arguments."""
    text = (CONF / "haproxy.cfg").read_text()
    text = text.replace(
        "bind :443 ssl crt /etc/haproxy/cal.example.org.pem", f"bind 127.0.0.1:{port} ssl crt {certificate}"
    )
    for number, name in ((11, "f1"), (12, "f2")):
        node = murder.nodes[name]
        text = text.replace(f"192.0.2.{number}:8008", f"127.0.0.1:{node.port} port {node.admin_port}")
    (folder / "haproxy.cfg").write_text(text)
    return ["-db", "-f", str(folder / "haproxy.cfg")]


def nginx(folder: Path, murder: Murder, port: int, certificate: Path) -> list[str]:
    """The same."""
    text = (CONF / "nginx.conf").read_text()
    text = text.replace("listen [::]:443 ssl http2;", "").replace("listen 443", f"listen 127.0.0.1:{port}")
    text = re.sub(r"/etc/ssl/\S+\.pem", str(certificate), text)
    for number, name in ((11, "f1"), (12, "f2")):
        text = text.replace(f"192.0.2.{number}:8008", f"127.0.0.1:{murder.nodes[name].port}")
    places = "".join(
        f"{each}_temp_path {folder}/{each}; " for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = f"daemon off; user root; pid {folder}/pid; error_log stderr; events {{ }}\n"
    (folder / "nginx.conf").write_text(f"{main}http {{ access_log off; {places}\n{text}\n}}\n")
    return ["-p", str(folder), "-c", str(folder / "nginx.conf")]


def answered(murder: Murder, name: str) -> float:
    """How many requests a front end has answered."""
    text = fetch(murder.nodes[name].admin_port, "/metrics")[1]
    return sum(float(each) for each in re.findall(r"(?m)^calserver_requests_total\{.*\} (.*)$", text))


def test_requests_pass_to_both_front_ends(murder: Murder, balancer: Balancer) -> None:
    before = {name: answered(murder, name) for name in ("f1", "f2")}
    text = event("lunch", 1, 0)
    path = f"{HOME}Default/lunch.ics"
    put = balancer.ask("PUT", path, text, Content_Type="text/calendar", X_Forwarded_For="203.0.113.9")
    assert put.status in (201, 204)
    data = bytes(1_000_000)
    assert balancer.ask("PUT", "/dav/drive/user/ann/large.bin", data).status in (201, 204)
    for _ in range(TURNS):
        assert balancer.ask("GET", path).body == text
        assert balancer.ask("GET", "/dav/drive/user/ann/large.bin").body == data
    assert balancer.ask("GET", "/.well-known/caldav").headers["Location"] in (
        "/dav/",
        f"https://localhost:{balancer.port}/dav/",
    )
    assert balancer.ask("GET", "/dav/calendars/user/ann/Default/a%20b%40c.ics").status == 404
    assert all(answered(murder, name) > number for name, number in before.items())
    logs = "".join((murder.nodes[name].folder / "access.log").read_text() for name in before)
    assert "203.0.113.9" not in logs
    assert "a%20b%40c.ics" in logs


def test_a_front_end_that_is_killed_is_left_out(murder: Murder, balancer: Balancer) -> None:
    text, path = event("dinner", 1, 0), f"{HOME}Default/dinner.ics"
    murder.nodes["f1"].kill()
    try:
        for _ in range(TURNS):
            assert balancer.ask("PUT", path, text, Content_Type="text/calendar").status in (201, 204)
            assert balancer.ask("PROPFIND", HOME, Depth="0").status == 207
    finally:
        murder.nodes["f1"].start()

    def used() -> bool:
        assert balancer.ask("PROPFIND", HOME, Depth="0").status == 207
        return answered(murder, "f1") > 0

    until(used, "it is used again")


def test_no_front_end_is_503(murder: Murder, balancer: Balancer) -> None:
    for name in ("f1", "f2"):
        murder.nodes[name].kill()
    try:
        assert balancer.ask("PROPFIND", HOME, Depth="0").status in (502, 503)
    finally:
        for name in ("f1", "f2"):
            murder.nodes[name].start()
    began = time.monotonic()
    until(lambda: balancer.ask("PROPFIND", HOME, Depth="0").status == 207)
    assert time.monotonic() - began < 10
