"""``twistd calserver``: what its plugin leads to."""

import os
from pathlib import Path
from typing import ClassVar

import attrs
from twisted.application.service import Service
from twisted.internet import reactor as global_reactor  # noqa: TID251 - here it is handed to all others
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from calserver.config import Config, ConfigError
from calserver.service.daemon import Daemon
from calserver.service.memory import be_frugal, settle
from calserver.service.supervisor import Supervisor


class Options(UsageOptions):
    """``twistd calserver [options]``."""

    synopsis = "[options]"
    longdesc = "A calendar server: CalDAV over SQLite or PostgreSQL."
    optParameters: ClassVar = [
        ["config", "c", None, "The configuration file; CALSERVER_CONFIG names one too."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []

    def opt_listen(self, endpoint: str) -> None:
        """Listen on this endpoint instead of those in the file; may be given several times."""
        self["listen"].append(endpoint)


def makeService(options: Options) -> Service:
    """The service for a command line (twistd calls this)."""
    named = options["config"] or os.environ.get("CALSERVER_CONFIG")
    if not named:
        raise UsageError("--config or CALSERVER_CONFIG must name the configuration file")
    try:
        config = Config.load(Path(named))
    except ConfigError as error:
        raise SystemExit("\n".join(f"calserver: {each}" for each in error.problems)) from None
    listen = tuple(options["listen"]) or None
    be_frugal()
    if config.server.workers != 1:
        return Supervisor(config, global_reactor, listen)
    if listen:
        config = attrs.evolve(config, server=attrs.evolve(config.server, listen=listen))
    global_reactor.callWhenRunning(settle)
    return Daemon(config, global_reactor)
