"""Who there is: principals, their addresses and groups, and what WebDAV tells of them (RFC 3744 section 2).

``actor`` is who asks; ``addresses`` how principals are called in scheduling, and who is meant by an address; ``accounts``
makes, changes and removes principals, ``table`` many at once.
"""

from calserver.directory import accounts, table
from calserver.directory.accounts import AccountRefused, NoSuchPrincipal, Provision
from calserver.directory.actor import ANONYMOUS, KINDS, Actor, principal_href
from calserver.directory.addresses import addresses, find, find_many, normalize, preferred
from calserver.directory.table import TableRefused

__all__ = [
    "ANONYMOUS",
    "KINDS",
    "AccountRefused",
    "Actor",
    "NoSuchPrincipal",
    "Provision",
    "TableRefused",
    "accounts",
    "addresses",
    "find",
    "find_many",
    "normalize",
    "preferred",
    "principal_href",
    "table",
]
