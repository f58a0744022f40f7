"""Who there is: principals, their addresses and groups, and what WebDAV tells of them (RFC 3744 section 2)."""

from calserver.directory.actor import ANONYMOUS, Actor, principal_href

__all__ = ["ANONYMOUS", "Actor", "principal_href"]
