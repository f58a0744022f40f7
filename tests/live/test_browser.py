"""Chromium looks at the pages of the server, and at what people have stored there: nothing of that runs."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from daemon import Daemon

SCRIPT = "<script>document.title = document.body.textContent = 'it' + ' ran'</script>"
WILD = {
    "page.html": ("text/html", f"<!DOCTYPE html><title>page</title><body>still {SCRIPT}</body>"),
    "page.xhtml": (
        "application/xhtml+xml",
        f'<html xmlns="http://www.w3.org/1999/xhtml"><body>still {SCRIPT}</body></html>',
    ),
    "image.svg": (
        "image/svg+xml",
        '<svg xmlns="http://www.w3.org/2000/svg"><text>still</text><script>document.documentElement.textContent = '
        "'it' + ' ran'</script></svg>",
    ),
}
"""What an attacker would like to run in the browser of whoever looks at it."""


class Browser:
    """Chromium without a screen and with an empty profile.

    Args:
        program: Chromium.
        folder: where its profile is.
    """

    def __init__(self, program: str, folder: Path) -> None:
        self._command = [
            program,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            f"--user-data-dir={folder}",
            "--virtual-time-budget=3000",
            "--enable-logging=stderr",
        ]

    def looks(self, url: str) -> tuple[str, list[str]]:
        """The document of a page when it is there and its scripts have run, and what the console says."""
        done = subprocess.run(
            [*self._command, "--dump-dom", url], capture_output=True, text=True, check=True, timeout=120
        )
        return done.stdout, re.findall(r'CONSOLE[^"]*"([^"]*)', done.stderr)


@pytest.fixture(scope="module")
def browser(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Browser:
    return Browser(program("chromium"), tmp_path_factory.mktemp("chromium"))


def url(daemon: Daemon, user: str, path: str) -> str:
    """A page as its reader, who has typed the password, asks for it."""
    return daemon.url.replace("http://", f"http://{user}:{user}@").rstrip("/") + path


def test_a_home_is_shown_with_links_to_what_is_in_it(browser: Browser, daemon: Daemon) -> None:
    page, said = browser.looks(url(daemon, "ann", "/dav/calendars/user/ann/"))
    assert {"./Default/", "./Tasks/", "../"} <= set(re.findall('href="([^"]*)"', page))
    assert said == []
    page, said = browser.looks(daemon.url)
    assert f"{daemon.url}dav/" in page, "it tells a stranger which address calendar programs want"
    assert said == []


@pytest.mark.parametrize("name", WILD)
def test_what_people_have_stored_does_not_run(browser: Browser, daemon: Daemon, name: str) -> None:
    content_type, text = WILD[name]
    path = f"/dav/drive/user/ann/{name}"
    assert daemon.connect("ann").request("PUT", path, text, Content_Type=content_type).status in (201, 204)
    page, _ = browser.looks(url(daemon, "ann", path))
    assert "it ran" not in page
