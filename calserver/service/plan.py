"""What a supervisor has to know of a configuration, read by a fresh process: its program may be newer than ours."""

import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs
from twisted.internet.utils import getProcessOutputAndValue

import calserver
from calserver.config import Config, ConfigError
from calserver.service.readiness import VARIABLE

READ_SECONDS: Final = 60.0
"""How long it may take to read a configuration."""


@attrs.frozen(kw_only=True)
class Plan:
    """What the workers are to be."""

    text: str
    """Of the configuration."""
    source: Path
    workers: int
    endpoints: tuple[str, ...]
    """The sockets that they share."""
    listen: tuple[str, ...] | None
    """Endpoints that stand for those in the configuration."""
    grace_seconds: float

    def path(self, name: str) -> Path:
        """A path of the configuration."""
        return self.source.parent / name


def planned(source: Path, text: str, effective: Mapping[str, Any], listen: tuple[str, ...] | None) -> Plan:
    """The plan for a configuration.

    Args:
        source: its file.
        text: what stands in it.
        effective: all that it amounts to, as ``calserver config show`` prints it.
        listen: endpoints that stand for those in it.
    """
    server, mail = effective["server"], effective["mail"]
    endpoints = [*(listen or server["listen"])]
    if mail["address"]:
        endpoints += [*mail["lmtp_listen"], *mail["smtp_listen"]]
    workers = server["workers"]
    return Plan(
        text=text,
        source=source,
        workers=len(os.sched_getaffinity(0)) if workers == "auto" else workers,
        endpoints=tuple(dict.fromkeys(endpoints)),
        listen=listen,
        grace_seconds=server["grace_seconds"],
    )


def plan_of(config: Config, text: str, listen: tuple[str, ...] | None) -> Plan:
    """The plan for a configuration that this process has read."""
    assert config.source is not None, "twistd reads a file"
    return planned(config.source, text, tomllib.loads(config.show()), listen)


async def read_again(source: Path, listen: tuple[str, ...] | None, reactor: Any) -> Plan:
    """The plan for what stands in a file now.

    Raises:
        ConfigError: it cannot be used.
    """
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{source}: {error}") from None
    command = ("-P", "-m", "calserver.cli", "config", "show", "--config", str(source))
    shown = getProcessOutputAndValue(sys.executable, command, env=environment(), reactor=reactor)
    shown.addTimeout(READ_SECONDS, reactor)
    printed, complaints, status = await shown
    if status:
        lines = complaints.decode(errors="replace").splitlines()
        raise ConfigError(*(each.removeprefix("calserver: ") for each in lines[-20:]))
    return planned(source, text, tomllib.loads(printed.decode()), listen)


def environment() -> Mapping[str, str]:
    """For processes with the same program: they find it where this one has it, and tell systemd nothing."""
    found = {name: value for name, value in os.environ.items() if name != VARIABLE}
    root = Path(calserver.__file__).parent.parent
    if root.name not in ("site-packages", "dist-packages"):
        found["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), found.get("PYTHONPATH", ""))))
    return found
