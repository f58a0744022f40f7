"""What is counted and written down: metrics for Prometheus, the application log, the access log.

Counting must cost nearly nothing, so the hot path increments plain integers; `Metrics` is a collector that turns them
into Prometheus' format when somebody asks.
"""

import json
import re
import sys
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from io import TextIOBase
from pathlib import Path
from typing import Final, TextIO, cast

import attrs
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
    textFileLogObserver,
)
from zope.interface import implementer

from calserver.config import Log

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histograms' buckets in seconds."""

METHODS: Final = frozenset(
    {
        "ACL",
        "COPY",
        "DELETE",
        "GET",
        "HEAD",
        "LOCK",
        "MKCALENDAR",
        "MKCOL",
        "MOVE",
        "OPTIONS",
        "POST",
        "PROPFIND",
        "PROPPATCH",
        "PUT",
        "REPORT",
        "UNLOCK",
    }
)
"""Methods that are counted by name; whatever else clients invent is counted together."""


class Histogram:
    """How often something took how long."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts by upper bound, as Prometheus wants them."""
        running, found = 0, []
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), self.counts, strict=True):
            running += count
            found.append((bound, float(running)))
        return found


MOST_DOMAINS: Final = 1000
"""The most series of a metric about letters."""


class Metrics(Collector):
    """The counts of one server."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.durations: dict[str, Histogram] = {}
        self.logins: Counter[str] = Counter()
        self.store_waits = Histogram()
        self.in_flight = 0
        self.connections: Callable[[], int] = int
        self.jobs: Counter[tuple[str, str]] = Counter()
        self.letters: Counter[tuple[str, str]] = Counter()
        self.letters_waiting: Mapping[str, int] = {}
        """By domain."""

    def answered(self, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        if method not in METHODS:
            method = "other"
        self.requests[method, status] += 1
        durations = self.durations.get(method)
        if durations is None:
            durations = self.durations[method] = Histogram()
        durations.observe(seconds)

    def letter(self, domain: str, outcome: str) -> None:
        """Count what became of a letter to a domain; domains beyond so many are counted as one."""
        known = (domain, outcome) in self.letters or len(self.letters) < MOST_DOMAINS
        self.letters[domain if known else "others", outcome] += 1

    def _waiting(self) -> Mapping[str, int]:
        """How many letters wait, by domain: those with the most, and all others as one."""
        most = sorted(self.letters_waiting.items(), key=lambda each: (-each[1], each[0]))
        rest = sum(count for _, count in most[MOST_DOMAINS:])
        return dict(most[:MOST_DOMAINS]) | ({"others": rest} if rest else {})

    def collect(self) -> Iterator[Metric]:
        """All families (prometheus_client calls this)."""
        requests = CounterMetricFamily("calserver_requests", "Requests answered", labels=["method", "status"])
        for (method, status), count in sorted(self.requests.items()):
            requests.add_metric([method, str(status)], count)
        yield requests
        durations = HistogramMetricFamily("calserver_request_seconds", "Time to answer a request", labels=["method"])
        for method, histogram in sorted(self.durations.items()):
            durations.add_metric([method], histogram.buckets(), histogram.total)
        yield durations
        yield HistogramMetricFamily(
            "calserver_store_seconds",
            "Time that requests wait for the store and its work",
            buckets=self.store_waits.buckets(),
            sum_value=self.store_waits.total,
        )
        logins = CounterMetricFamily("calserver_logins", "Credentials looked at", labels=["outcome"])
        for outcome, count in sorted(self.logins.items()):
            logins.add_metric([outcome], count)
        yield logins
        jobs = CounterMetricFamily("calserver_jobs", "Background jobs run", labels=["job", "outcome"])
        for (job, outcome), count in sorted(self.jobs.items()):
            jobs.add_metric([job, outcome], count)
        yield jobs
        letters = CounterMetricFamily("calserver_letters", "Messages to other domains", labels=["domain", "outcome"])
        for (domain, outcome), count in sorted(self.letters.items()):
            letters.add_metric([domain, outcome], count)
        yield letters
        waiting = GaugeMetricFamily("calserver_letters_waiting", "Messages that wait to be sent", labels=["domain"])
        for domain, count in self._waiting().items():
            waiting.add_metric([domain], count)
        yield waiting
        yield GaugeMetricFamily("calserver_requests_in_flight", "Requests being answered", self.in_flight)
        yield GaugeMetricFamily("calserver_connections", "Connections that are open", self.connections())


@attrs.frozen
class Exposition:
    """The text that Prometheus reads: our metrics and those of the process."""

    metrics: Collector
    registry: CollectorRegistry = attrs.field(factory=lambda: CollectorRegistry(auto_describe=False))

    def __attrs_post_init__(self) -> None:
        self.registry.register(self.metrics)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format 0.0.4."""
        return generate_latest(self.registry)


_SAMPLE: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?( .*)")


def gathered(texts: Mapping[str, str]) -> str:
    """The metrics of several processes as one text: each sample with the label ``worker``, each family once.

    Args:
        texts: what each process says (format 0.0.4), by the value of its label.
    """
    families: dict[str, list[str]] = {}
    for worker, text in texts.items():
        family: list[str] = []
        for line in text.splitlines():
            if line.startswith("# HELP "):
                family = families.setdefault(line.split(" ", 3)[2], [])
            if line.startswith("#"):
                if line not in family[:2]:
                    family.append(line)
            elif sample := _SAMPLE.fullmatch(line):
                labels = ",".join(filter(None, (f'worker="{worker}"', sample[2])))
                family.append(f"{sample[1]}{{{labels}}}{sample[3]}")
    return "".join(f"{line}\n" for family in families.values() for line in family)


# -- application log -----------------------------------------------------------------------------------------------


@implementer(ILogObserver)
class JsonObserver:
    """Writes each event as one line of JSON: time, level, logger, message, its fields, and a traceback where one is."""

    def __init__(self, out: "LogFile | TextIO") -> None:
        self._out = out

    def __call__(self, event: LogEvent) -> None:
        """Write one event; values that JSON does not know are written as their text."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(event["log_time"], UTC).isoformat(timespec="milliseconds"),
            "level": getattr(event.get("log_level"), "name", "info"),
            "logger": event.get("log_namespace", ""),
            "message": formatEvent(event),
        }
        for name, value in event.items():
            if not name.startswith("log_") and name not in ("isError", "message", "time", "system", "format", "why"):
                line.setdefault(name, value if isinstance(value, (int, float, bool)) else str(value))
        if failure := event.get("log_failure"):
            line["traceback"] = failure.getTraceback()
        self._out.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
        self._out.flush()


@implementer(ILogObserver)
@attrs.frozen
class Numbered:
    """Says of which worker events are: in the field ``worker`` of JSON, in front of the message in text."""

    observer: ILogObserver
    worker: int

    def __call__(self, event: LogEvent) -> None:
        """Hand an event on."""
        level = getattr(event.get("log_level"), "name", "info")
        system = event.get("log_system") or f"{event.get('log_namespace', '-')}#{level}"
        self.observer({**event, "log_system": f"{system} worker {self.worker}", "worker": self.worker})


class LogFile(TextIOBase):
    """A file that lines are added to, and that can be moved away meanwhile.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._open()

    def _open(self) -> TextIO:
        return self._path.open("a", encoding="utf-8", buffering=1)

    def reopen(self) -> None:
        """Go on in a new file where the old one was moved away; in the old one where there cannot be another."""
        previous, self._file = self._file, self._open()
        previous.close()

    def write(self, text: str) -> int:
        """Add a text."""
        return self._file.write(text)

    def flush(self) -> None:
        """Hand to the system what is there."""
        if not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_log(config: Log, path: Callable[[str], Path]) -> "LogFile | TextIO":
    """Where the application log goes; `path` resolves relative file names."""
    return LogFile(path(config.file)) if config.file else sys.stderr


def log_observer(config: Log, out: "LogFile | TextIO") -> ILogObserver:
    """The observer that a configuration asks for."""
    write = JsonObserver(out) if config.format == "json" else textFileLogObserver(cast(TextIO, out))
    level = LogLevelFilterPredicate(defaultLogLevel=LogLevel.levelWithName(config.level))
    found: ILogObserver = FilteringLogObserver(write, [level])
    return found


# -- access log ----------------------------------------------------------------------------------------------------

_UNPRINTABLE: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160), ord('"'), ord("\\"))}


@attrs.frozen(slots=True, kw_only=True)
class Access:
    """One answered request, as the access log tells it."""

    address: str
    user: str
    method: str
    uri: str
    protocol: str
    status: int
    sent_bytes: int
    request_id: str
    seconds: float


class AccessLog:
    """Common Log Format, and behind it the request id and the time taken in milliseconds."""

    def __init__(self, out: LogFile | TextIO, clock: Callable[[], float] = time.time) -> None:
        self._out = out
        self._clock = clock
        self._second = -1
        self._stamp = ""

    @classmethod
    def open(cls, name: str, path: Callable[[str], Path]) -> "AccessLog | None":
        """The log that a configuration asks for: none for an empty name, standard output for ``-``."""
        if not name:
            return None
        return cls(sys.stdout if name == "-" else LogFile(path(name)))

    def write(self, access: Access) -> None:
        """Write one line."""
        now = self._clock()
        if int(now) != self._second:
            self._second = int(now)
            self._stamp = datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        user = _safe(access.user).replace(" ", "\\x20") or "-"
        line = f"{_safe(access.method)} {_safe(access.uri)} {access.protocol}"
        self._out.write(
            f'{access.address or "-"} - {user} [{self._stamp}] "{line}" {access.status} {access.sent_bytes or "-"}'
            f" {_safe(access.request_id)} {access.seconds * 1000:.1f}\n"
        )

    def reopen(self) -> None:
        """Go on in a new file, where there is one."""
        if isinstance(self._out, LogFile):
            self._out.reopen()

    def close(self) -> None:
        """Close the file; standard output stays open."""
        if self._out is not sys.stdout:
            self._out.close()


def _safe(text: str) -> str:
    """A text from a client that cannot end the field or the line."""
    return text.translate(_UNPRINTABLE)
