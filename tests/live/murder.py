"""A small cluster for tests: a front end, two nodes with calendars, a directory; three daemons, four stores."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Self

from certificates import Authority
from daemon import prepare
from diaries import Diaries

PEOPLE = """\
uid,password,name,email,type,admin,auto_schedule
ann,ann,Ann Archer,ann@example.com,user,,
bob,bob,Bob Baker,bob@example.com,user,,
carol,carol,Carol Cook,carol@example.com,user,,
admin,admin,Administrator,admin@example.com,user,yes,
room1,,Room 1,room1@example.com,location,,automatic
staff,,Staff,staff@example.com,group,,
"""
"""Placed in this order, the fewest first: ann, carol and room1 on b1, bob and admin on b2."""
NODES = {"f1": "frontend", "b1": "backend", "b2": "backend"}


def join(
    config: Path,
    node: str,
    directory: str,
    roles: Mapping[str, str],
    urls: Mapping[str, str],
    keys: Mapping[str, str],
    *more: str,
) -> None:
    """Make a server a node: write the section of its configuration, with more lines of it."""
    lines = ["[cluster]", f'node = "{node}"', f'directory = "{directory}"', "look_seconds = 0.05", *more]
    for name, role in roles.items():
        lines += [f"[cluster.nodes.{name}]", f'url = "{urls[name]}"', f'key = "{keys[name]}"', f'role = "{role}"']
    text = config.read_text(encoding="utf-8")
    begin, end = text.index("[cluster]"), text.index("[log]")
    config.write_text(text[:begin] + "\n".join(lines) + "\n\n" + text[end:], encoding="utf-8")


class Murder:
    """A front end before two nodes, as a context manager.

    Args:
        folder: where everything is to be.
        accounts: CSV text for `calserver principals import`.
        authority: issues the certificates with which nodes reach each other; they do in the clear where there is none.
        roles: of the nodes.
    """

    def __init__(
        self,
        folder: Path,
        accounts: str = PEOPLE,
        authority: Authority | None = None,
        roles: Mapping[str, str] = MappingProxyType(NODES),
    ) -> None:
        self.folder = folder
        self.nodes = {name: Diaries(folder / name, "") for name in roles}
        self.directory = folder / "directory.sqlite"
        keys = {name: prepare("cluster", "key", "--config", each.config).strip() for name, each in self.nodes.items()}
        urls, more = {name: f"http://127.0.0.1:{each.port}" for name, each in self.nodes.items()}, []
        if authority is not None:
            for each in self.nodes.values():
                each.secure(authority, "localhost")
                (each.folder / "nodes-ca.pem").write_bytes(authority.pem)
            urls = {name: f"https://localhost:{each.secure_port}" for name, each in self.nodes.items()}
            more = ['authorities_file = "nodes-ca.pem"']
        for name, each in self.nodes.items():
            join(each.config, name, f"sqlite:///{self.directory}", roles, urls, keys, *more)
        table = folder / "people.csv"
        table.write_text(accounts, encoding="utf-8")
        prepare("principals", "import", table, "--config", self.front.config)

    @property
    def front(self) -> Diaries:
        return self.nodes["f1"]

    def start(self) -> None:
        for each in self.nodes.values():
            each.start()

    def stop(self) -> None:
        for each in self.nodes.values():
            each.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # -- as an organization among others (`organizations.Internet`)

    domain = Diaries.domain

    def federate(self, authority: Authority) -> None:
        """Talk to organizations on this machine: all nodes have the same keys, and others find the front end."""
        for each in self.nodes.values():
            each.federate(authority)
            each.set(calendars__domain=self.domain)
            if each is not self.front:
                shutil.rmtree(each.folder / "keys")
                shutil.copytree(self.front.folder / "keys", each.folder / "keys")
        self.front.secure(authority, f"cal.{self.domain}")

    def records(self) -> list[str]:
        """What is to be published."""
        return self.front.records()

    def set(self, **options: object) -> None:
        """Change the configuration of all nodes."""
        for each in self.nodes.values():
            each.set(**options)
