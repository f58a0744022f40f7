"""Keys from the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dns.rdatatype
import dns.zone

Verb = Callable[..., Any]


def states(verb: Verb) -> dict[str, str]:
    return {key["selector"]: key["state"] for key in verb("keys", "list", "--json").json}


def test_a_key_is_changed_for_another(verb: Verb, site: Path) -> None:
    assert states(verb) == {"cal1": "signing"}
    made = verb("keys", "rotate")
    assert made.out.startswith("cal2 (rsa) is new; put its record into the DNS")
    early = verb("keys", "rotate")
    assert (early.status, early.err) == (1, "calserver: the record of cal2 has to be published first\n")
    assert "cal2._domainkey" in verb("keys", "publish").out
    assert verb("keys", "rotate").status == 1
    assert "2 keys" in verb("keys", "publish", "--done").out
    assert "can sign from" in verb("keys", "rotate").err
    assert verb("keys", "rotate", "--force").out == "cal2 (rsa) is signing\n"
    assert "under way" in verb("keys", "retire", "cal1").err
    assert verb("keys", "retire", "cal1", "--force", "--json").json["record"].endswith("p=")
    assert states(verb) == {"cal1": "retired", "cal2": "signing"}
    assert sorted(path.name for path in (site / "keys").glob("*.pem")) == ["cal2.pem"]
    assert [line.split()[:3] for line in verb("keys", "list").out.splitlines()] == [
        ["SELECTOR", "ALGORITHM", "STATE"],
        ["cal1", "rsa", "retired"],
        ["cal2", "rsa", "signing"],
    ]


def test_a_short_key_beside_the_long_one(verb: Verb, site: Path) -> None:
    made = verb("keys", "generate", "--algorithm", "ed25519", "--selector", "short", "--json").json
    assert (made["state"], len(made["record"].partition("p=")[2])) == ("new", 44)
    assert verb("keys", "generate", "--selector", "short").status == 1
    assert verb("keys", "generate", "--algorithm", "dsa").status == 2


def test_records_of_keys_are_those_of_the_zone(verb: Verb, site: Path) -> None:
    (row,) = verb("keys", "publish", "--json").json
    assert (row["name"], row["type"]) == ("cal1._domainkey.example.org", "TXT")
    assert row["value"].startswith("v=DKIM1; k=rsa; s=ischedule; p=MII")
    assert len(row["value"]) > 255
    rows = verb("dns", "records", "example.org", "--json").json
    assert row in rows
    text = verb("keys", "publish", "one.example", "two.example").out
    assert text.count("cal1._domainkey ") == 2
    soa = "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\n"
    zone = dns.zone.from_text(verb("keys", "publish").out + soa, origin="example.org.", relativize=False)
    (record,) = zone.find_rdataset("cal1._domainkey.example.org.", dns.rdatatype.TXT)
    assert b"".join(record.strings).decode() == row["value"]
    anything = verb("keys", "publish", "--any-service", "--json").json[0]["value"]
    assert anything == row["value"].replace(" s=ischedule;", "")
