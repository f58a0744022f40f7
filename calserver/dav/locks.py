"""Write locks (RFC 4918 sections 6 and 7)."""

from datetime import datetime

import attrs


@attrs.frozen(slots=True, kw_only=True)
class Lock:
    """A WebDAV lock (RFC 4918 section 6). ``path`` is the href below the DAV root, escaped, without a final slash."""

    token: str
    path: str
    principal_id: int
    exclusive: bool
    deep: bool
    owner: str
    """The DAV:owner element as XML text; empty where none was sent."""
    expires: datetime
