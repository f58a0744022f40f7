"""Who there is: principals, their addresses and groups, and what WebDAV tells of them (RFC 3744 section 2).

``actor`` is who asks; ``addresses`` how principals are called in scheduling, and who is meant by an address;
``accounts`` makes, changes and removes principals, ``table`` many at once; ``principals`` are the resources that they
have in the tree, ``rfc3744`` what WebDAV tells of them, ``search`` how they are found.
"""

from calserver.directory import accounts, table
from calserver.directory.accounts import AccountRefused, NoSuchPrincipal, Provision
from calserver.directory.actor import ANONYMOUS, KINDS, Actor, principal_href
from calserver.directory.addresses import addresses_of, find, find_many, normalize, preferred
from calserver.directory.identities import PROXIES, identity_at, identity_hrefs, named_in_property, proxy_href
from calserver.directory.placement import drain, drained, least_used, place
from calserver.directory.principals import PrincipalCollection, PrincipalMount, PrincipalResource, principal_at
from calserver.directory.proxies import caldav_proxy
from calserver.directory.rfc3744 import calendarserver_principals, rfc3744_principals, rfc6638_calendar_users
from calserver.directory.table import TableRefused

__all__ = [
    "ANONYMOUS",
    "KINDS",
    "PROXIES",
    "AccountRefused",
    "Actor",
    "NoSuchPrincipal",
    "PrincipalCollection",
    "PrincipalMount",
    "PrincipalResource",
    "Provision",
    "TableRefused",
    "accounts",
    "addresses_of",
    "caldav_proxy",
    "calendarserver_principals",
    "drain",
    "drained",
    "find",
    "find_many",
    "identity_at",
    "identity_hrefs",
    "least_used",
    "named_in_property",
    "normalize",
    "place",
    "preferred",
    "principal_at",
    "principal_href",
    "proxy_href",
    "rfc3744_principals",
    "rfc6638_calendar_users",
    "table",
]
