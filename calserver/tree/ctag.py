"""The collection tag, with which older clients see whether anything in a collection changed (caldav-ctag)."""

from calserver.dav import Extension
from calserver.names import CS
from calserver.tree.collections import StoredCollection

caldav_ctag = Extension("caldav-ctag")


@caldav_ctag.property(CS("getctag"), on=StoredCollection)
def getctag(collection: StoredCollection) -> str:
    """Changes with every change in the collection (caldav-ctag section 4.1)."""
    return collection.ctag
