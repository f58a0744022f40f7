"""Looking for principals: what the search reports ask, as terms for the store (RFC 3744 section 9.4).

Two clients' dialects are understood besides the RFC: ``test="anyof"``, ``type`` and ``match-type`` attributes and a
``DAV:limit`` in principal-property-search, and calendarserver-principal-search with its tokens.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import attrs

from calserver.dav import BadRequest, Wanted, named, xml
from calserver.directory.actor import KINDS
from calserver.directory.addresses import GUID, MAILTO, normalize, principal_in
from calserver.names import CS, C, D
from calserver.store import Principal, Transaction

USER_TYPES: Final = {"INDIVIDUAL": "user", "GROUP": "group", "RESOURCE": "resource", "ROOM": "location"}
"""CUTYPE (RFC 5545 section 3.2.3) to kind of principal."""

SEARCHABLE: Final = {
    D("displayname"): ("name", "Display name"),
    CS("first-name"): ("first_name", "First name"),
    CS("last-name"): ("last_name", "Last name"),
    CS("email-address-set"): ("email", "Mail addresses"),
    C("calendar-user-address-set"): ("email", "Calendar user addresses"),
    C("calendar-user-type"): ("", "Kind of calendar user"),
}
"""Properties that searches look into: field of the store (none for the kind), and a description for people."""

MATCH_TYPES: Final = frozenset({"contains", "starts-with", "ends-with", "equals"})
CONTEXTS: Final = {
    None: KINDS,
    "user": ("user",),
    "group": ("group",),
    "attendee": ("user", "group"),
    "resource": ("resource",),
    "location": ("location",),
}
"""The kinds that calendarserver-principal-search looks for, by its ``context``."""

TOKEN_FIELDS: Final = ("name", "first_name", "last_name", "email")
MOST_TERMS: Final = 20
MOST_CANDIDATES: Final = 5000
"""How many that have the first token are looked at for the others."""

Term = tuple[str, str, str]


@attrs.frozen(slots=True, kw_only=True)
class Search:
    """What principals are wanted: terms of field, match type and text, the kinds, and the properties to tell.

    With `tokens` each must be found in one of the names or mail addresses; there are no terms then.
    """

    terms: tuple[Term, ...] = ()
    tokens: tuple[str, ...] = ()
    any_of: bool = False
    impossible: bool = False
    """Whether a term cannot be true of anybody."""
    kinds: tuple[str, ...] = KINDS
    by_kind: bool = False
    """Whether the kind alone is enough: of rooms, resources and groups, but nobody lists all people."""
    limit: int | None = None
    everywhere: bool = True
    """Whether all principals are searched, not only those in the collection that is asked."""
    wanted: Wanted = attrs.field(factory=Wanted)

    @classmethod
    def parse(cls, root: xml.Element) -> "Search":
        """Read a ``DAV:principal-property-search``."""
        test = root.get("test", "allof")
        kind = root.get("type")
        if test not in ("anyof", "allof") or not (kind is None or kind.upper() in USER_TYPES):
            raise BadRequest("unknown attribute in the search")
        kinds: tuple[str, ...] = KINDS if kind is None else (USER_TYPES[kind.upper()],)
        terms: list[Term] = []
        impossible = by_kind = False
        for search in root.iterchildren(D("property-search")):
            match = search.find(D("match"))
            if match is None or search.find(D("prop")) is None:
                raise BadRequest("DAV:property-search has DAV:prop and DAV:match")
            how = match.get("match-type", "contains")
            if how not in MATCH_TYPES:
                raise BadRequest("unknown match-type")
            for name in named(search.find(D("prop"))):
                if name == C("calendar-user-type"):
                    only = _kinds(match.text or "", how)
                    kinds = tuple(each for each in kinds if each in only)
                    by_kind = True
                elif name in SEARCHABLE:
                    terms.append(_term(name, how, match.text or ""))
                else:
                    impossible = True
        if len(terms) > MOST_TERMS:
            raise BadRequest("the search has too many terms")
        return cls(
            terms=tuple(term for term in terms if term[2]),
            any_of=test == "anyof",
            impossible=impossible and test == "allof",
            kinds=kinds,
            by_kind=by_kind and "user" not in kinds,
            limit=_limit(root),
            everywhere=root.find(D("apply-to-principal-collection-set")) is not None,
            wanted=_wanted(root),
        )

    @classmethod
    def parse_tokens(cls, root: xml.Element) -> "Search":
        """Read a ``CS:calendarserver-principal-search``."""
        context = root.get("context")
        if context not in CONTEXTS:
            raise BadRequest("unknown context of the search")
        tokens = tuple(token for each in root.iterchildren(CS("search-token")) if (token := xml.content(each)))
        if not tokens or len(tokens) > MOST_TERMS:
            raise BadRequest("the search has no tokens, or too many")
        return cls(tokens=tokens, kinds=CONTEXTS[context], limit=_limit(root), wanted=_wanted(root))

    def run(self, txn: Transaction, kinds: Sequence[str], limit: int) -> Sequence[Principal]:
        """Who is found, of these kinds; at most `limit`."""
        wanted = [each for each in self.kinds if each in kinds]
        if self.impossible or not wanted:
            return ()
        if self.tokens:
            first, *others = self.tokens
            terms = [(field, "contains", first) for field in TOKEN_FIELDS]
            candidates = MOST_CANDIDATES if others else limit
            found = txn.principals.search(terms, any_of=True, kinds=wanted, limit=candidates)
            return [each for each in found if _has(each, others)][:limit]
        if self.by_kind and not self.terms:
            return [found for kind in wanted for found in txn.principals.list(kind)][:limit]
        return txn.principals.search(self.terms, any_of=self.any_of, kinds=wanted, limit=limit)


def _term(name: str, how: str, text: str) -> Term:
    """A term of the store. Addresses are looked for as they are spelled: by mail address, GUID or URL."""
    field = SEARCHABLE[name][0]
    if name != C("calendar-user-address-set"):
        return field, how, text
    address = normalize(text)
    if address.startswith(GUID):
        return "guid", how, address.removeprefix(GUID)
    if (path := principal_in(text, prefix=text.partition("principals/")[0])) is not None:
        return "uid", "equals", path[1]
    return field, how, text.strip()[len(MAILTO) :] if text.strip().lower().startswith(MAILTO) else text


def _kinds(text: str, how: str) -> set[str]:
    text = text.strip().upper()
    tests: dict[str, Callable[[str], bool]] = {
        "contains": lambda name: text in name,
        "starts-with": lambda name: name.startswith(text),
        "ends-with": lambda name: name.endswith(text),
        "equals": lambda name: name == text,
    }
    return {kind for name, kind in USER_TYPES.items() if tests[how](name)}


def _has(principal: Principal, tokens: Iterable[str]) -> bool:
    mail = [each.removeprefix(MAILTO) for each in principal.addresses]
    texts = [each.casefold() for each in (principal.name, principal.first_name, principal.last_name, *mail)]
    return all(any(token.casefold() in text for text in texts) for token in tokens)


def _limit(root: xml.Element) -> int | None:
    for limit in (root.find(D("limit")), root.find(CS("limit"))):
        if limit is not None:
            texts = [xml.content(each) for each in limit if each.tag in (D("nresults"), CS("nresults"))]
            if len(texts) == 1 and texts[0].isascii() and texts[0].isdigit() and int(texts[0][:9]) > 0:
                return int(texts[0][:9])
            raise BadRequest("a limit is a positive number")
    return None


def _wanted(root: xml.Element) -> Wanted:
    """The properties to be told; none where none are named."""
    props = root.findall(D("prop"))
    if len(props) > 1:
        raise BadRequest("there is more than one DAV:prop")
    if not props:
        return Wanted()
    return Wanted(elements=named(props[0]) or _beside_empty_prop(root))


def _beside_empty_prop(root: xml.Element) -> dict[str, xml.Element]:
    """The properties that python-caldav (3.6) writes beside ``DAV:prop`` instead of into it."""
    return {each.tag: each for each in root.iterchildren(D("displayname"), C("calendar-home-set"))}
