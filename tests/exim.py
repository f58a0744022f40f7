"""Exim of Debian for tests: a mail server of our own on loopback, over a directory of its own, without privileges.

It is set up as docs/mail.md says: it takes mail from who logs in over TLS, hands what is for the calendar over by LMTP,
and puts all else into one mailbox.
"""

import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

USER, PASSWORD = "calendar", "secret"
START_SECONDS = 20.0
WAIT_SECONDS = 20.0
CONFIGURATION = """\
primary_hostname = mx.example.com
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
local_interfaces = <; [127.0.0.1]:{port} ; [127.0.0.1]:{secure}
tls_on_connect_ports = {secure}
tls_advertise_hosts = *
tls_certificate = {folder}/certificate.pem
tls_privatekey = {folder}/key.pem
deliver_drop_privilege = true
keep_environment =
add_environment = PATH=/usr/bin:/bin
host_lookup =
dkim_verify_signers =
rfc1413_query_timeout = 0s
message_size_limit = 5M
acl_smtp_rcpt = check_recipient

begin acl
check_recipient:
  deny    local_parts = refused
          message = 5.7.1 not here
  defer   local_parts = later
          message = 4.2.0 come again
  accept  authenticated = *
  accept  domains = {domain}
  deny    message = 5.7.1 log in first

begin routers
answers_to_invitations:
  driver = accept
  domains = {domain}
  local_parts = calendar
  local_part_suffix = +*
  local_part_suffix_optional
  transport = calserver
gone:
  driver = redirect
  local_parts = gone
  data = :fail: no such user
  allow_fail
mailbox:
  driver = accept
  transport = mailbox

begin transports
calserver:
  driver = smtp
  protocol = lmtp
  hosts = 127.0.0.1
  port = {lmtp}
  rcpt_include_affixes
  allow_localhost
mailbox:
  driver = appendfile
  file = {folder}/mailbox
  user = {user}
  mode = 0644

begin retry
*  *  F,1h,1s

begin authenticators
plain:
  driver = plaintext
  public_name = {mechanism}
  server_prompts = {prompts}
  server_condition = ${{if and{{{{eq{{${name}}}{{calendar}}}}{{eq{{${secret}}}{{secret}}}}}}}}
  server_advertise_condition = ${{if def:tls_in_cipher}}
"""
PLAIN = {"mechanism": "PLAIN", "prompts": ":", "name": "auth2", "secret": "auth3"}
LOGIN = {"mechanism": "LOGIN", "prompts": "Username:: : Password::", "name": "auth1", "secret": "auth2"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Exim:
    """A mail server, as a context manager.

    Args:
        program: its path.
        certificate: PEM, for ``localhost``.
        key: the private key of that.
        lmtp: the port where calserver takes mail.
        mechanism: how one logs in: `PLAIN` or `LOGIN`.
        domain: its mail domain.
    """

    def __init__(
        self,
        program: str,
        certificate: bytes,
        key: bytes,
        lmtp: int,
        mechanism: dict[str, str] = PLAIN,
        domain: str = "example.com",
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="exim-"))  # outside of pytest's own, which only its user may enter
        self.port, self.secure = free_port(), free_port()
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._user = "Debian-exim" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        (self.folder / "certificate.pem").write_bytes(certificate)
        (self.folder / "key.pem").write_bytes(key)
        fields = {"folder": self.folder, "port": self.port, "secure": self.secure, "lmtp": lmtp, "user": self._user}
        fields["domain"] = domain
        (self.folder / "exim.conf").write_text(CONFIGURATION.format(**fields, **mechanism))
        for name in ("spool", "log"):
            (self.folder / name).mkdir()
        for path in (self.folder, *self.folder.iterdir()):
            if os.getuid() == 0:
                shutil.chown(path, self._user)

    def __enter__(self) -> Self:
        command = [self._program, "-C", str(self.folder / "exim.conf"), "-bdf", "-q1s"]
        who = {"user": self._user, "group": self._user, "extra_groups": []} if os.getuid() == 0 else {}
        with (self.folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, **who
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                smtplib.SMTP("127.0.0.1", self.port, timeout=5).quit()
            except OSError:
                time.sleep(0.05)
            else:
                return self
        self.__exit__()
        raise AssertionError(f"exim did not start:\n{self.log()}")

    def __exit__(self, *exc: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            while mine := self._delivering():  # they would make the folder again
                for pid in mine:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.01)
        shutil.rmtree(self.folder)

    def _delivering(self) -> list[int]:
        """The processes that were started for this server; some have sessions of their own."""
        found = []
        for each in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if str(self.folder).encode() in each.read_bytes():
                    found.append(int(each.parent.name))
        return found

    def send(self, content: bytes, sender: str, *recipients: str) -> None:
        """Bring a mail as the mail server of a stranger does."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as client:
            client.sendmail(sender, recipients, content)

    @property
    def mails(self) -> list[bytes]:
        """The mails that were put into the mailbox, in their order."""
        path = self.folder / "mailbox"
        content = path.read_bytes() if path.exists() else b""
        if not content.endswith(b"\n\n"):
            return []  # it is being written
        return [each.removesuffix(b"\n") for each in re.split(rb"^From \S+ .+\n", content, flags=re.MULTILINE)[1:]]

    def log(self) -> str:
        """What it has written down."""
        found = [self.folder / "output", *sorted((self.folder / "log").iterdir())]
        return "\n".join(each.read_text(errors="replace") for each in found if each.exists())
