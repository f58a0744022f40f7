"""The administration port: metrics and health, for those who can reach it."""

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from calserver.config import Metrics as MetricsSection
from calserver.store import SchemaMismatch, Store
from calserver.web.request import Request
from calserver.web.site import Site

log = Logger()

HEALTH_SECONDS: Final = 3.0
"""How long the store may take to answer before it counts as unreachable."""


@attrs.frozen
class Health:
    """Whether requests can be answered, and what is known about it."""

    healthy: bool
    facts: Mapping[str, str | int]


class Administration:
    """Handlers of the administration site.

    Args:
        health: looks how the server is.
        metrics: the text that Prometheus reads.
    """

    def __init__(self, health: Callable[[], Awaitable[Health]], metrics: Callable[[], Awaitable[bytes]]) -> None:
        self._health, self._metrics = health, metrics

    def serve(self, site: Site, config: MetricsSection) -> None:
        """Let a site answer."""
        site.serve({"/health": self.health, "/metrics": self.metrics} if config.enabled else {"/health": self.health})

    async def metrics(self, request: Request) -> None:
        """What Prometheus reads."""
        fields = [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")]
        request.respond(HTTPStatus.OK, fields, await self._metrics())

    async def health(self, request: Request) -> None:
        """200 where requests can be answered, 503 otherwise."""
        found = await self._health()
        status = HTTPStatus.OK if found.healthy else HTTPStatus.SERVICE_UNAVAILABLE
        body = json.dumps({"status": "ok" if found.healthy else "failing", **found.facts}).encode()
        request.respond(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")], body)


async def store_health(store: Store, reactor: Any) -> Health:
    """Whether the store answers in time, and has the tables that it was opened with."""
    try:
        asked = Deferred.fromCoroutine(_ask(store))
        asked.addTimeout(HEALTH_SECONDS, reactor)
        await asked
    except SchemaMismatch as error:
        log.error("the store is of no use any more: {error}", error=error)
        return Health(False, {"store": str(error)})
    except Exception:  # noqa: BLE001 - whatever it is, the answer is that the store does not answer
        log.failure("the store does not answer")
        return Health(False, {"store": "unreachable"})
    return Health(True, {"store": "ok"})


async def _ask(store: Store) -> None:
    await store.read(lambda txn: txn.meta.see_tables())
