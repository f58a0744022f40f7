"""Plain files over WebDAV (RFC 4918): ``drive/user/<uid>/``, collections and any content in them.

All that files need the tree can do; so this room only says which homes they are in. Content is kept byte for byte with
its media type, and is delivered in a way that keeps it from running as a page of this site.
"""

from typing import Final

from calserver.tree import Home, Homes, Kinds, StoredCollection

HOME_KIND: Final = "drive-home"

drive: Final = Homes(name="drive", home_kind=HOME_KIND, kinds=Kinds(home=Home, plain=StoredCollection))
"""The mount."""

__all__ = ["HOME_KIND", "drive"]
