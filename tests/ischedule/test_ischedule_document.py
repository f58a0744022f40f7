"""The examples of docs/ischedule.md work as they stand there."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest_twisted
from certificates import Authority
from resolved import Names
from twisted.internet import reactor  # noqa: TID251 - tests hand it on

from ischedule import dkim
from ischedule.agent import Guard, GuardedAgent
from ischedule.client import Client
from ischedule.discovery import Discovery

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "ischedule.md"
HOST = "cal.receiver.example"


@pytest_twisted.ensureDeferred
async def test_the_examples_work(listen: Any, authority: Authority) -> None:
    said: dict[str, Any] = {"__name__": "examples"}
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 5
    for block in blocks:
        exec(block, said)
    office, key = said["Office"](), said["key"]
    names = Names(
        {
            (HOST, "A"): ["127.0.0.1"],
            ("cal1._domainkey.sender.example", "TXT"): [f'"{dkim.key_record(key.private)}"'],
        }
    )
    site = said["office_site"](reactor, office, names)
    site.noisy = False
    port = await listen(site, HOST)
    names.records["_ischedules._tcp.receiver.example", "SRV"] = [f"0 0 {port} {HOST}."]
    agent = GuardedAgent(reactor, names, guard=Guard(allow=(ip_network("127.0.0.0/8"),)), trust=[authority.certificate])
    outcome = await said["deliver"](Client(agent, Discovery(names, reactor), lambda domain: key, reactor))
    await agent.close()
    assert [str(each.status) for each in outcome.responses] == ["2.0;Success"], outcome.reason
    assert [each.message.uid for each in office.inbox] == ["lunch-1"]
