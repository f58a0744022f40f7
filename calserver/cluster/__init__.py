"""Nodes that keep the calendars of some people each, behind front ends that keep none (docs/cluster.md).

Theory of operation. All nodes have all principals, and know at which node each is **placed**: they follow the
directory, a database of its own (`mirror`). So each authenticates everybody, and answers for principals, discovery and
all else that lies in no home. What lies in a home is answered by the node of its principal: `front` decides that for
each request, `relay` hands it on there, streamed, with an `assertion` of who has authenticated. A front end is a node
on which nobody is placed. What is copied or moved from one node to another goes as `cargo`: `porter` is what the two
nodes do, `carriage` what the one does that asks them. `gathering` asks several nodes for what they have together
(`expansions` for what is in it of others), and `conditions` what an If header says of theirs; `spanning` finds the
requests that need one of these.

Calendars are shared with people at any node: `tidings` carries what these are told, `branches` finds the
requests for homes of which a part is at the nodes of sharers, `homes` puts the answers together, `places` knows what is
where.

People go to other nodes while everybody works on: the command line says what is to be done next (`mover`), the nodes do
it (`removal`), asked over HTTP with assertions, too (`calls`).

A node believes assertions of the nodes in its configuration (`identity`), each for one request and once. What a node
has handed on is never handed on again, but for what is in a branch of a home: once more, to the node where that is.
"""

from calserver.cluster.calls import caller_of
from calserver.cluster.explaining import explained
from calserver.cluster.identity import Identity
from calserver.cluster.member import Member
from calserver.cluster.mover import Moved, Mover, Progress, mover_of
from calserver.cluster.removal import WORKS
from calserver.cluster.statuses import Status, statuses

__all__ = [
    "WORKS",
    "Identity",
    "Member",
    "Moved",
    "Mover",
    "Progress",
    "Status",
    "caller_of",
    "explained",
    "mover_of",
    "statuses",
]
