"""Two servers to try on one machine, each for a domain of its own, that find each other by a name server.

    sites = prepare(Path("data"), listen="tcp:8008:interface=127.0.0.1", south_listen="tcp:8018:interface=127.0.0.1")
    sites.north, sites.south                            # where they are, and their configurations
    sites.zones                                         # what the name server has to say

What was made once is kept: certificates of an authority that is thrown away, keys, accounts, and the ports that others
do not choose.
"""

import re
import socket
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from calserver.admin import database, demo, dns, keys, nameserver
from calserver.admin.authority import Authority
from calserver.admin.demo import NORTH, SOUTH, Organization
from calserver.admin.installation import CONFIG_NAME, install
from calserver.admin.refused import Refused
from calserver.config import Config

LOOPBACK: Final = "127.0.0.1"
YEARS_DAYS: Final = 3650
_SECURE: Final = re.compile(r"ssl:(\d+):")


@attrs.frozen(kw_only=True)
class Site:
    """One of the servers."""

    organization: Organization
    folder: Path
    listen: str
    """Its endpoint for clients."""

    @property
    def file(self) -> Path:
        """Its configuration."""
        return self.folder / CONFIG_NAME

    @property
    def config(self) -> Config:
        """The same, read."""
        return Config.load(self.file)

    @property
    def log(self) -> Path:
        """What it writes."""
        return self.folder / "server.log"

    @property
    def url(self) -> str:
        """Where clients find it."""
        return address(self.listen)

    @property
    def secure(self) -> str:
        """Its endpoint for the other server."""
        return next(each for each in self.config.server.listen if each.startswith("ssl:"))

    @property
    def secure_port(self) -> int:
        """The port of that."""
        found = _SECURE.match(self.secure)
        assert found is not None
        return int(found[1])


@attrs.frozen(kw_only=True)
class Sites:
    """Both, and the name server."""

    north: Site
    south: Site
    dns_port: int
    new: bool
    """Whether they were made just now."""

    @property
    def zones(self) -> Mapping[str, str]:
        """What the name server says: of each domain what its server wants to be published."""
        return {each.organization.domain: zone(each) for each in (self.north, self.south)}


def zone(site: Site) -> str:
    """What is to be published of a domain."""
    domain = site.organization.domain
    published = dns.records(
        domain,
        host=site.organization.host,
        port=site.secure_port,
        path=site.config.server.public_prefix,
        addresses=(LOOPBACK,),
        keys=keys.key_records(site.config),
    )
    return nameserver.complete(domain, dns.zone(domain, published), address=LOOPBACK)


def address(endpoint: str) -> str:
    """The URL of a plain TCP endpoint, the endpoint itself where it is another."""
    found = re.fullmatch(r"tcp:(?:port=)?(\d+)(?::interface=([^:]+))?", endpoint)
    return f"http://{found[2] or LOOPBACK}:{found[1]}/" if found else endpoint


def prepare(folder: Path, *, listen: str, south_listen: str) -> Sites:
    """Make both servers in a folder, or find what was made there.

    Args:
        folder: for both; it must not exist, be empty, or be one that this has made.
        listen: the endpoint of the north for clients.
        south_listen: that of the south.

    Raises:
        Refused: there is something else in the folder.
    """
    places = {NORTH: (folder / "north", listen), SOUTH: (folder / "south", south_listen)}
    sites = [Site(organization=each, folder=place, listen=at) for each, (place, at) in places.items()]
    new = not all(each.file.exists() for each in sites)
    if new:
        if folder.exists() and any(folder.iterdir()):
            raise Refused(f"{folder} has something else in it; name another folder, or delete it")
        _make(folder, sites)
    port = int(sites[0].config.ischedule.name_servers[0].rpartition(":")[2])
    return Sites(north=sites[0], south=sites[1], dns_port=port, new=new)


def _make(folder: Path, sites: list[Site]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = Authority("calserver demonstration", days=YEARS_DAYS)
    dns_port, *others = free_ports(1 + 2 * len(sites))
    for number, site in enumerate(sites):
        admin_port, secure_port = others[2 * number : 2 * number + 2]
        secure = f"ssl:{secure_port}:privateKey=tls-key.pem:certKey=tls.pem:interface={LOOPBACK}"
        install(
            site.folder,
            listen=(site.listen, secure),
            admin_listen=(f"tcp:{admin_port}:interface={LOOPBACK}",),
            domain=site.organization.domain,
            further={
                "ischedule.name_servers": [f"{LOOPBACK}:{dns_port}"],
                "ischedule.authorities_file": "authority.pem",
                "ischedule.allow_networks": ["127.0.0.0/8"],
                "ischedule.retry_seconds": 2.0,
                "ischedule.audit_file": "audit.log",
            },
        )
        certificate, key = authority.pem_for(site.organization.host, days=YEARS_DAYS)
        for name, content in (("authority.pem", authority.pem), ("tls.pem", certificate), ("tls-key.pem", key)):
            path = site.folder / name
            path.touch(mode=0o600)
            path.write_bytes(content)
        config, today = site.config, datetime.now().astimezone()
        with database.opened(config) as store:
            seed = partial(demo.seed, organization=site.organization, today=today, settings=config.calendars)
            store.write_now(seed)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at the moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()
