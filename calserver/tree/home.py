"""Homes: the collections that hold all that a principal has of one sort (RFC 4791 section 4.2)."""

from calserver.dav import Resource
from calserver.tree.collections import StoredCollection


class Home(StoredCollection):
    """What belongs to one principal (RFC 4791 section 4.2): it stays where it is as long as the principal.

    Its access control list is the administrator's, by the command line.
    """

    set_acl = Resource.set_acl

    delete = Resource.delete
    copy = Resource.copy
    move = Resource.move
