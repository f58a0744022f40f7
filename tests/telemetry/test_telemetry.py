"""Counting, and writing down."""

import io
import json
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from twisted.logger import Logger, LogPublisher, eventAsText
from twisted.python.failure import Failure

from calserver.config import Log
from calserver.telemetry import (
    BUCKETS,
    Access,
    AccessLog,
    Exposition,
    Histogram,
    JsonObserver,
    Metrics,
    log_observer,
    open_log,
)


def samples(metrics):
    text = Exposition(metrics).text().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_are_counted_by_method_and_status():
    metrics = Metrics()
    for status in (207, 207, 404):
        metrics.answered("PROPFIND", status, 0.02)
    found = samples(metrics)
    assert found["calserver_requests_total", (("method", "PROPFIND"), ("status", "207"))] == 2
    assert found["calserver_request_seconds_count", (("method", "PROPFIND"),)] == 3
    assert found["calserver_request_seconds_bucket", (("le", "0.025"), ("method", "PROPFIND"))] == 3
    assert found["calserver_request_seconds_bucket", (("le", "0.01"), ("method", "PROPFIND"))] == 0
    assert found["calserver_request_seconds_sum", (("method", "PROPFIND"),)] == pytest.approx(0.06)


def test_methods_that_clients_invent_are_counted_together():
    metrics = Metrics()
    for number in range(100):
        metrics.answered(f"X{number}", 501, 0.0)
    assert list(metrics.requests) == [("other", 501)]
    assert list(metrics.durations) == ["other"]


def test_letters_that_wait_are_told_by_domain_and_beyond_so_many_domains_as_one():
    metrics = Metrics()
    metrics.letters_waiting = {f"d{number}.example": 1 for number in range(1002)} | {"late.example": 7}
    found = {
        labels[0][1]: value for (name, labels), value in samples(metrics).items() if name == "calserver_letters_waiting"
    }
    assert (len(found), found["late.example"], found["others"]) == (1001, 7, 3)
    metrics.letters_waiting = {}
    assert not [name for name, _ in samples(metrics) if name == "calserver_letters_waiting"]


def test_a_bucket_holds_its_upper_bound():
    histogram = Histogram()
    for bound in BUCKETS:
        histogram.observe(bound)
    histogram.observe(1000)
    assert [count for _, count in histogram.buckets()] == list(range(1, len(BUCKETS) + 2))


def test_gauges_tell_what_is():
    metrics = Metrics()
    metrics.in_flight = 3
    metrics.connections = lambda: 5
    metrics.logins["failed"] += 2
    metrics.jobs["locks", "done"] += 1
    found = samples(metrics)
    assert found["calserver_requests_in_flight", ()] == 3
    assert found["calserver_connections", ()] == 5
    assert found["calserver_logins_total", (("outcome", "failed"),)] == 2
    assert found["calserver_jobs_total", (("job", "locks"), ("outcome", "done"))] == 1
    assert any(name == "process_cpu_seconds_total" for name, _ in found)


# -- access log ----------------------------------------------------------------------------------------------------


def access(**changes):
    facts = {
        "address": "192.0.2.1",
        "user": "ann",
        "method": "PROPFIND",
        "uri": "/dav/",
        "protocol": "HTTP/1.1",
        "status": 207,
        "sent_bytes": 512,
        "request_id": "abc-1",
        "seconds": 0.01234,
    }
    return Access(**{**facts, **changes})


def written(*entries):
    out = io.StringIO()
    log = AccessLog(out, clock=lambda: 1_700_000_000.5)
    for each in entries:
        log.write(each)
    return out.getvalue()


def test_a_line_is_in_common_log_format_with_id_and_milliseconds():
    assert written(access()) == (
        '192.0.2.1 - ann [14/Nov/2023:22:13:20 +0000] "PROPFIND /dav/ HTTP/1.1" 207 512 abc-1 12.3\n'
    )


def test_what_is_missing_is_a_dash():
    assert written(access(address="", user="", sent_bytes=0)).startswith("- - - [")
    assert '" 207 - abc-1' in written(access(sent_bytes=0))


def test_clients_cannot_forge_lines():
    line = written(access(user='a"b c\nd', uri='/"\r\n\x1b[0m\\', method="G\tT", request_id='"'))
    assert line.count("\n") == 1
    assert line.count('"') == 2
    assert "\x1b" not in line
    assert r"a\x22b\x20c\x0ad" in line


def test_the_log_is_appended_to_a_file(tmp_path):
    for _ in range(2):
        log = AccessLog.open("access.log", tmp_path.joinpath)
        log.write(access())
        log.close()
    assert len((tmp_path / "access.log").read_text().splitlines()) == 2


def test_no_name_is_no_log(tmp_path):
    assert AccessLog.open("", tmp_path.joinpath) is None


def test_a_dash_is_standard_output(capsys, tmp_path):
    log = AccessLog.open("-", tmp_path.joinpath)
    log.write(access())
    log.close()
    assert capsys.readouterr().out.startswith("192.0.2.1 ")


# -- application log -----------------------------------------------------------------------------------------------


def logged(observer):
    return Logger("calserver.test", observer=LogPublisher(observer))


def test_json_is_one_object_per_line_with_fields_and_traceback():
    out = io.StringIO()
    log = logged(JsonObserver(out))
    log.info("delivered {uid} to {path}", uid="a\nb", path=Path("/x"), count=3)
    try:
        raise ValueError("broken")
    except ValueError:
        log.failure("job {job} failed", Failure(), job="locks")
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert first["message"] == "delivered a\nb to /x"
    assert (first["level"], first["logger"], first["uid"], first["count"]) == ("info", "calserver.test", "a\nb", 3)
    assert first["time"].endswith("+00:00")
    assert second["level"] == "critical"
    assert "ValueError: broken" in second["traceback"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_levels_below_the_configured_one_are_left_out(tmp_path, form):
    config = Log(format=form, level="warn", file="app.log")
    with open_log(config, tmp_path.joinpath) as out:
        log = logged(log_observer(config, out))
        log.info("quiet")
        log.warn("loud")
    text = (tmp_path / "app.log").read_text()
    assert "loud" in text
    assert "quiet" not in text


def test_text_is_the_usual_line_of_twisted(capsys, tmp_path):
    events = []
    log = logged(log_observer(Log(), open_log(Log(), tmp_path.joinpath)))
    log.observer.addObserver(events.append)
    log.info("hello {name}", name="ann")
    assert capsys.readouterr().err.rstrip("\n").endswith(eventAsText(events[0]).split(" ", 1)[1])
