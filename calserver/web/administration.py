"""The administration port: metrics and health, for those who can reach it."""

import json
from http import HTTPStatus
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from calserver.config import Metrics as MetricsSection
from calserver.store import Store
from calserver.telemetry import Exposition, Metrics
from calserver.web.request import Request
from calserver.web.site import Site

log = Logger()

HEALTH_SECONDS: Final = 3.0
"""How long the store may take to answer before it counts as unreachable."""


class Administration:
    """Handlers of the administration site."""

    def __init__(self, store: Store, metrics: Metrics, *, reactor: Any) -> None:
        self._store = store
        self._exposition = Exposition(metrics)
        self._reactor = reactor

    def serve(self, site: Site, config: MetricsSection) -> None:
        """Let a site answer."""
        site.serve({"/health": self.health, "/metrics": self.metrics} if config.enabled else {"/health": self.health})

    async def metrics(self, request: Request) -> None:
        """What Prometheus reads."""
        fields = [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")]
        request.respond(HTTPStatus.OK, fields, self._exposition.text())

    async def health(self, request: Request) -> None:
        """200 where the store answers, 503 otherwise."""
        status, words = HTTPStatus.OK, "ok"
        try:
            asked = Deferred.fromCoroutine(self._ask())
            asked.addTimeout(HEALTH_SECONDS, self._reactor)
            await asked
        except Exception:  # noqa: BLE001 - whatever it is, the answer is that the store does not answer
            log.failure("the store does not answer")
            status, words = HTTPStatus.SERVICE_UNAVAILABLE, "unreachable"
        body = json.dumps({"status": "ok" if status == HTTPStatus.OK else "failing", "store": words}).encode()
        request.respond(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")], body)

    async def _ask(self) -> None:
        await self._store.read(lambda txn: txn.meta.get("health"))
