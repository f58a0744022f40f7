"""The tree that clients see: WebDAV resources over the rows of the store, and who may do what with them.

How a path is found. `Mounts` is the tree; the first segment leads to a mount. A `Homes` mount knows the kind of homes
it has (calendar homes, drive homes) and the classes of what is in them (`Kinds`); it asks the store once for all
collections on the way to a path, and once more for an object at its end.

The classes. `StoredCollection`, `StoredObject` and `Home` do all that is the same for calendars, contacts and files:
listing, stored properties, locks, sync tokens and changes, quota, deletion, COPY and MOVE - within a home, between
homes, and between people. The protocol rooms derive from them (see `calserver.tree.collections`) and give their classes
to a `Homes` mount.

Who may do what is decided in `calserver.tree.access` alone. What an actor may not look into is refused in the same
way whether it exists or not.
"""

from calserver.tree.collections import StoredCollection
from calserver.tree.ctag import caldav_ctag
from calserver.tree.estate import Estate, Kinds
from calserver.tree.folders import Folder
from calserver.tree.home import Home
from calserver.tree.listing import Row, page_of
from calserver.tree.markup import QUICK, Writer
from calserver.tree.mounts import HOME_SEGMENTS, Homes, Mount, Mounts
from calserver.tree.objects import StoredObject, content_etag
from calserver.tree.sync import Token

__all__ = [
    "HOME_SEGMENTS",
    "QUICK",
    "Estate",
    "Folder",
    "Home",
    "Homes",
    "Kinds",
    "Mount",
    "Mounts",
    "Row",
    "StoredCollection",
    "StoredObject",
    "Token",
    "Writer",
    "caldav_ctag",
    "content_etag",
    "page_of",
]
