"""What of the configuration WebDAV asks for; the configuration itself, with its defaults, is not this room's."""

from typing import Protocol


class Settings(Protocol):
    """Limits and switches of the DAV section of the configuration."""

    @property
    def infinity_resources(self) -> int:
        """The most resources that a PROPFIND with Depth: infinity answers for; 0 refuses it (RFC 4918 section 9.1)."""

    @property
    def query_results(self) -> int:
        """The most members that one report answers for (RFC 6578 section 3.6)."""

    @property
    def expand_resources(self) -> int:
        """The most hrefs that one expand-property follows (RFC 3253 section 3.8)."""

    @property
    def answer_bytes(self) -> int:
        """The largest answer to one request, about and before it is compressed."""

    @property
    def request_seconds(self) -> float:
        """The longest time that one request may compute."""

    @property
    def property_bytes(self) -> int:
        """The largest property that a client may store."""

    @property
    def properties(self) -> int:
        """The most properties that clients may store on one resource."""

    @property
    def anonymous(self) -> bool:
        """Whether who has not authenticated may look at anything at all."""

    @property
    def aces(self) -> int:
        """The most entries of an access control list (RFC 3744 section 8.1.1)."""

    @property
    def lock_seconds(self) -> int:
        """The longest time that a lock is given (RFC 4918 section 10.7)."""

    @property
    def locks(self) -> int:
        """The most locks that one principal may hold."""

    @property
    def search_results(self) -> int:
        """The most principals that one search answers for (RFC 3744 section 9.4)."""

    @property
    def body_bytes(self) -> int:
        """The largest content of a resource."""

    @property
    def name_bytes(self) -> int:
        """The longest name of a resource."""

    @property
    def path_depth(self) -> int:
        """The most segments of a path below the DAV root."""

    @property
    def collections(self) -> int:
        """The most collections in a home."""

    @property
    def quota_bytes(self) -> int:
        """The most bytes of content in a home; 0: no limit (RFC 4331)."""
