"""What a node counts of other nodes and of the directory (docs/administration.md, Metrics)."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from calserver.cluster.mirror import Mirror
from calserver.cluster.relay import ClientGone, NodeAway, NodeSilent
from calserver.telemetry import Histogram

T = TypeVar("T")


class Counts(Collector):
    """The metrics of a node.

    Args:
        mirror: how it follows the directory.
        clock: seconds that only grow.
    """

    def __init__(self, mirror: Mirror, clock: Callable[[], float]) -> None:
        self._mirror, self._clock = mirror, clock
        self._handed_on: Counter[tuple[str, str]] = Counter()
        self._seconds: dict[str, Histogram] = {}

    async def counted(self, node: str, answer: Awaitable[T]) -> T:
        """Wait for the answer of a node, and count what comes of it."""
        began, result = self._clock(), "failed"
        try:
            found = await answer
            result = "answered"
            self._seconds.setdefault(node, Histogram()).observe(self._clock() - began)
            return found
        except NodeAway:
            result = "away"
            raise
        except NodeSilent:
            result = "silent"
            raise
        except ClientGone:
            result = "gone"
            raise
        finally:
            self._handed_on[node, result] += 1

    def collect(self) -> Iterator[Metric]:
        """All families (prometheus_client calls this)."""
        requests: Any = CounterMetricFamily(
            "calserver_handed_on", "Requests handed on to other nodes", labels=["node", "result"]
        )
        for (node, result), count in sorted(self._handed_on.items()):
            requests.add_metric([node, result], count)
        yield requests
        seconds: Any = HistogramMetricFamily(
            "calserver_handed_on_seconds", "Time until the answer of a node begins", labels=["node"]
        )
        for node, histogram in sorted(self._seconds.items()):
            seconds.add_metric([node], histogram.buckets(), histogram.total)
        yield seconds
        if (behind := self._mirror.behind_seconds) is not None:
            yield GaugeMetricFamily(
                "calserver_directory_behind_seconds",
                "Since when this node may not know what the directory does",
                behind,
            )
        yield GaugeMetricFamily(
            "calserver_directory_revision", "What this node has of the directory", self._mirror.revision
        )
