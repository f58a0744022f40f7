"""A server with TLS and a name server with the records that it says to publish: nothing is wrong from outside."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from certificates import Authority
from daemon import CALSERVER, Daemon
from nameservers import Nsd, zone


def test_what_is_published_leads_to_the_server(program: Callable[[str], str], tmp_path: Path) -> None:
    authority = Authority()
    certificate, key = authority.pem_for("cal.example.org")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    (tmp_path / "cert.pem").write_bytes(certificate)
    (tmp_path / "key.pem").write_bytes(key)
    server = Daemon(tmp_path / "server", "")
    secure = f"ssl:{server.port}:privateKey={tmp_path}/key.pem:certKey={tmp_path}/cert.pem"
    text = server.config.read_text()
    text = text.replace('#domain = "localhost"', 'domain = "example.org"')
    server.config.write_text(text.replace(f'"tcp:{server.port}', f'"{secure}'))

    def dns(*arguments: str) -> subprocess.CompletedProcess[str]:
        place = ["--port", str(server.port), "--address", "127.0.0.1", "--config", str(server.config)]
        command = [*CALSERVER, "dns", *arguments, *place]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ, timeout=60)

    published = [line for line in dns("records", "example.org").stdout.splitlines() if not line.startswith("$")]
    with server, Nsd(program("nsd"), tmp_path, {"example.org": zone("example.org", *published)}) as nsd:
        seen = ["--resolver", f"127.0.0.1:{nsd.port}", "--authority", f"{tmp_path}/ca.pem", "--allow", "127.0.0.0/8"]
        done = dns("check", "example.org", "--json", *seen)
        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads(done.stdout)
        fine = {each["subject"] for each in found if each["level"] == "ok"}
        assert [each["subject"] for each in found if "neither calendars.domain nor" in each["text"]] == []
        place = f"https://cal.example.org:{server.port}"
        assert fine >= {
            f"{place}/.well-known/caldav",
            f"{place}/dav/",
            f"cal.example.org port {server.port} (127.0.0.1)",
            f"{place}/.well-known/ischedule?action=capabilities",
            f"{place}/.well-known/domainkey/example.org/cal1",
            "cal1._domainkey.example.org",
            "key cal1",
        }
        said = " ".join(each["text"] for each in found)
        assert "those of the configuration (serial number" in said
        assert "verifies what is signed here" in said
        server.config.write_text(server.config.read_text().replace("#instances = 5000", "instances = 99"))
        done = dns("check", "example.org", *seen)
        assert "WARN  " in done.stdout
        assert "its capabilities (max-instances) are not those of the configuration" in done.stdout
