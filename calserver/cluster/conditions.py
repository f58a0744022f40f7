"""If headers about resources at several nodes (RFC 4918 section 10.4): one list has to hold, wherever that is decided.

Each node decides about the lists that are about its own resources. All tokens are submitted everywhere: by a list that
holds always, or by one that never does, whatever counts at a node.
"""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Final

import attrs

from calserver.auth import Login
from calserver.cluster import porter
from calserver.cluster.envoy import Envoy
from calserver.cluster.paths import At
from calserver.dav import Condition, ConditionList, Href
from calserver.web import Request

NEVER: Final = Condition(token="DAV:no-lock")
"""What no resource has (RFC 4918 section 10.4.8)."""
ALWAYS: Final = attrs.evolve(NEVER, negated=True)

Elsewhere = Sequence[tuple[At, Href, ConditionList]]
"""Lists that are about resources at other nodes, with the nodes and where these are."""


async def decided(
    envoy: Envoy, request: Request, login: Login, lists: Sequence[ConditionList], elsewhere: Elsewhere
) -> bytes:
    """The If header of a request for the node that answers it, when other nodes have decided about their part.

    Args:
        envoy: asks them.
        request: of the client.
        login: who the client is.
        lists: all of the header.
        elsewhere: those that other nodes decide about.

    Raises:
        NodeAway, NodeSilent: see `Relay.send`.
    """
    tag = lists[0].resource
    for node, href, each in elsewhere:
        answer = await envoy.hear(node, request, login, str(href), b"", {b"if": [if_field([each])]}, porter.HOLDS)
        if answer.status == HTTPStatus.NO_CONTENT:
            return if_field([*lists, ConditionList(tag, (ALWAYS,))])
    theirs = [each for _, _, each in elsewhere]
    mine = [each for each in lists if each not in theirs]
    return if_field([*mine, ConditionList(tag, (NEVER,))], submitting=theirs)


async def placed(
    lists: Sequence[ConditionList],
    there: At,
    place: Callable[[ConditionList], Awaitable[tuple[At, Href] | None]],
) -> Elsewhere:
    """Those of some lists that are about resources at other nodes.

    Args:
        lists: of an If header.
        there: the node that answers the request.
        place: finds node and place of the resource that a list names; None where that is at all nodes, or nowhere.
    """
    found = [(await place(each), each) for each in lists if each.resource]
    return [(where[0], where[1], each) for where, each in found if where is not None and where[0] != there]


def if_field(lists: Sequence[ConditionList], *, submitting: Sequence[ConditionList] = ()) -> bytes:
    """An If header of lists; the tokens of others are submitted, but what they say does not count."""
    tokens = dict.fromkeys(each.token for one in submitting for each in one.conditions if each.token)
    more = []
    if tokens:
        more.append(ConditionList(lists[0].resource, (*(Condition(token=each) for each in tokens), NEVER)))
    return " ".join(map(_text, [*lists, *more])).encode()


def _text(one: ConditionList) -> str:
    conditions = " ".join(
        ("Not " if each.negated else "") + (f"<{each.token}>" if each.token else f"[{each.etag}]")
        for each in one.conditions
    )
    return f"<{one.resource}> ({conditions})" if one.resource else f"({conditions})"
