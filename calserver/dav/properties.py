"""Properties in answers and in updates: PROPFIND and reports, PROPPATCH and the extended MKCOL (RFC 4918 section 9)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import attrs

from calserver.conditions import ConditionFailed
from calserver.dav import xml
from calserver.dav.errors import BadRequest, Forbidden, InsufficientStorage, NeedPrivileges, Refusal
from calserver.dav.multistatus import CLOSE_OK, OPEN_OK, STATUS, condition, propstat
from calserver.dav.resource import Resource, View
from calserver.dav.rfc7240 import preferences
from calserver.dav.xml import Element, Markup
from calserver.names import D

MOST_NAMES = 400
"""How many properties one request may name."""


# -- what is asked for -----------------------------------------------------------------------------------------------


@attrs.frozen(slots=True, kw_only=True)
class Wanted:
    """The properties that a request asks for.

    ``elements`` are the named ones as the client wrote them, by Clark name in its order. With ``allprop`` they are
    those of ``DAV:include``. ``names_only`` is ``DAV:propname``.
    """

    elements: Mapping[str, Element] = attrs.field(factory=dict)
    allprop: bool = False
    names_only: bool = False
    plans: dict[Any, Any] = attrs.field(factory=dict, init=False, eq=False, repr=False)
    """How classes of resources are rendered, worked out by `Properties`."""

    @property
    def names(self) -> frozenset[str] | None:
        """The names for `Collection.members`: None for all."""
        return None if self.allprop or self.names_only else frozenset(self.elements)


ALLPROP = Wanted(allprop=True)


def named(prop: Element | None) -> dict[str, Element]:
    """The children of a ``DAV:prop`` by name."""
    found = {} if prop is None else {each.tag: each for each in prop}
    if len(found) > MOST_NAMES:
        raise BadRequest("the request names too many properties")
    return found


def wanted(root: Element) -> Wanted:
    """What a ``DAV:propfind``, or a report with the same children, asks for (RFC 4918 section 14.20)."""
    kinds = list(root.iterchildren(D("prop"), D("allprop"), D("propname")))
    include = root.find(D("include"))
    if len(kinds) != 1 or (include is not None and kinds[0].tag != D("allprop")):
        raise BadRequest("the request asks for no properties, or in two ways")
    if kinds[0].tag == D("allprop"):
        return Wanted(allprop=True, elements=named(include))
    if kinds[0].tag == D("propname"):
        return Wanted(names_only=True)
    return Wanted(elements=named(kinds[0]))


# -- what is answered ------------------------------------------------------------------------------------------------


@attrs.frozen(slots=True)
class _Entry:
    """A live property to be rendered: its name, what is in its tags, its getter, whether a stored text comes first."""

    name: str
    start: str
    end: str
    get: Callable[[Any], str | None]
    stored: bool


@attrs.frozen(slots=True)
class _Plan:
    """How to render a class of resources."""

    live: tuple[_Entry, ...]
    dead: tuple[str, ...]
    """Asked for, and not live on this class."""
    every_dead: bool
    """All stored properties that are not live are asked for."""
    live_names: frozenset[str]
    looks_at_stored: bool


class Properties:
    """Renders the properties that a request wants, of one resource after the other.

    Args:
        view: of the request.
        wanted: which.
        extra: getters of this request alone, by name; they win over declared properties (``CALDAV:calendar-data``).
        minimal: whether properties that are not there are left out; by default what the client prefers (RFC 8144).
    """

    def __init__(
        self,
        view: View,
        wanted: Wanted,
        *,
        extra: Mapping[str, Callable[[Any], str | None]] | None = None,
        minimal: bool | None = None,
    ) -> None:
        self._spoken = view.spoken
        self._allowance = view.allowance
        self._wanted = wanted
        self._extra = extra or {}
        self._minimal = view.request.parsed(preferences).minimal if minimal is None else minimal
        self._plans: dict[Any, _Plan] = {} if extra else wanted.plans.setdefault(view.spoken, {})

    def response(self, resource: Resource, path: str | None = None) -> str:
        """The ``DAV:response`` of a resource; `path` is its href where the client spelled it in its own way.

        Raises:
            NumberOfMatchesWithinLimits: it makes the answer larger than this server sends.
        """
        href = resource.path if path is None else xml.escape(path)
        text = f"<D:response><D:href>{href}</D:href>{self.propstats(resource)}</D:response>"
        self._allowance.spend(len(text))
        return text

    def propstats(self, resource: Resource) -> str:
        """The ``DAV:propstat`` elements of a resource."""
        kind = type(resource)
        plan = self._plans.get(kind) or self._plans.setdefault(kind, self._plan(kind))
        stored = resource.stored_properties if plan.looks_at_stored else {}
        found: list[str] = []
        missing: list[str] = []
        refused: list[tuple[str, Refusal | ConditionFailed]] = []
        for entry in plan.live:
            if entry.stored and entry.name in stored:
                found.append(stored[entry.name])
                continue
            try:
                value = entry.get(resource)
            except (NeedPrivileges, Forbidden) as refusal:
                refused.append((entry.name, refusal))
                continue
            if value is None:
                missing.append(entry.name)
            elif type(value) is xml.Whole:
                found.append(value)
            else:
                text = value if type(value) is Markup else xml.escape(value)
                found.append(f"<{entry.start}>{text}</{entry.end}>" if text else f"<{entry.start}/>")
        for name in plan.dead:
            (found if name in stored else missing).append(stored.get(name, name))
        if plan.every_dead:
            found += [text for name, text in stored.items() if name not in plan.live_names and name not in plan.dead]
        if self._wanted.names_only:
            return OPEN_OK + "".join(map(_empty, self._names(plan, found, missing, stored))) + CLOSE_OK
        return self._propstats(found, missing, refused)

    def _names(self, plan: _Plan, found: list[str], missing: list[str], stored: Mapping[str, str]) -> list[str]:
        there = [entry.name for entry in plan.live if entry.name not in missing]
        return there + [name for name in stored if name not in plan.live_names]

    def _propstats(
        self, found: list[str], missing: list[str], refused: list[tuple[str, Refusal | ConditionFailed]]
    ) -> str:
        if self._wanted.allprop:
            missing = [name for name in missing if name in self._wanted.elements]
        hidden = self._minimal or not missing
        text = OPEN_OK + "".join(found) + CLOSE_OK if found or (hidden and not refused) else ""
        if not hidden:
            text += f"<D:propstat><D:prop>{''.join(map(_empty, missing))}</D:prop>{_MISSING}</D:propstat>"
        for name, refusal in refused:
            error = condition(refusal) if isinstance(refusal, ConditionFailed) else ""
            text += propstat(HTTPStatus.FORBIDDEN, _empty(name), error=error)
        return text

    def _plan(self, kind: type[Resource]) -> _Plan:
        declared = self._spoken.properties(kind)
        every = self._wanted.allprop or self._wanted.names_only
        names = [name for name, each in declared.items() if self._wanted.names_only or (every and each.allprop)]
        names += [name for name in self._wanted.elements if name not in names]
        live, dead = [], []
        for name in names:
            if name in self._extra:
                live.append(_Entry(name, *xml.tags(name), self._extra[name], stored=False))
            elif name in declared:
                live.append(_Entry(name, *xml.tags(name), declared[name].get, declared[name].stored))
            else:
                dead.append(name)
        looks = every or bool(dead) or any(each.stored for each in live)
        return _Plan(tuple(live), tuple(dead), every, frozenset(declared), looks)


_MISSING = STATUS[HTTPStatus.NOT_FOUND]


def _empty(name: str) -> str:
    return f"<{xml.tags(name)[0]}/>"


# -- what is to be changed -------------------------------------------------------------------------------------------


class CannotModifyProtectedProperty(ConditionFailed):
    """The server alone sets this property (RFC 4918 section 16)."""

    name = D("cannot-modify-protected-property")


@attrs.frozen(slots=True)
class Instruction:
    """Set a property to an element, or remove it (None)."""

    name: str
    element: Element | None


def instructions(root: Element) -> tuple[Instruction, ...]:
    """What a ``DAV:propertyupdate``, or the like of MKCOL and MKCALENDAR, wants done, in its order (section 9.2)."""
    found = []
    for each in root:
        if each.tag not in (D("set"), D("remove")):
            continue
        for prop in each.iterchildren(D("prop")):
            found += [Instruction(one.tag, one if each.tag == D("set") else None) for one in prop]
    if len(found) > MOST_NAMES:
        raise BadRequest("the request names too many properties")
    return tuple(found)


@attrs.frozen(slots=True)
class Patched:
    """What became of each property of an update: None where it was done."""

    outcomes: Sequence[tuple[str, Refusal | ConditionFailed | None]]

    @property
    def done(self) -> bool:
        """Whether all were; otherwise the transaction must be rolled back."""
        return all(refusal is None for _, refusal in self.outcomes)

    def propstats(self) -> Markup:
        """The outcome of each: 200 for all, or the refusals and 424 for the rest (RFC 4918 section 9.2.1)."""
        fine = list(dict.fromkeys(name for name, refusal in self.outcomes if refusal is None))
        text = ""
        if fine or self.done:
            status = HTTPStatus.OK if self.done else HTTPStatus.FAILED_DEPENDENCY
            text = propstat(status, "".join(map(_empty, fine)))
        for name, refusal in self.outcomes:
            if refusal is not None:
                error = condition(refusal) if isinstance(refusal, ConditionFailed) else ""
                text += propstat(refusal.status, _empty(name), error=error, description=refusal.reason)
        return Markup(text)


def patch(resource: Resource, changes: Iterable[Instruction], *, creating: bool = False) -> Patched:
    """Carry out an update of properties; where it is not `Patched.done`, the caller rolls back.

    Args:
        resource: whose.
        changes: in their order.
        creating: the resource is being made by this request, so properties with a ``create`` setter may be set.
    """
    declared = resource.view.spoken.properties(type(resource))
    kept: dict[str, str | None] = {}
    outcomes: list[tuple[str, Refusal | ConditionFailed | None]] = []
    for each in changes:
        try:
            if (text := _set(resource, declared.get(each.name), each, creating)) is not _DONE:
                kept[each.name] = text
        except (Refusal, ConditionFailed) as refusal:
            outcomes.append((each.name, refusal))
        else:
            outcomes.append((each.name, None))
    patched = Patched(outcomes)
    if kept and patched.done:
        _refuse_too_many(resource, kept)
        resource.store_properties(kept)
    return patched


_DONE = "done"
"""The setter has kept the value itself; compared by identity."""


def _set(resource: Resource, declared: Any, change: Instruction, creating: bool) -> str | None:
    """Carry out one instruction; returns what is to be stored verbatim, None to remove it, or `_DONE`."""
    if declared is not None:
        setter = (declared.create if creating else None) or declared.set
        if setter is None and not declared.stored:
            raise CannotModifyProtectedProperty(f"{change.name} is set by the server alone")
        if setter is not None:
            setter(resource, change.element)
        if not declared.stored:
            return _DONE
    if change.element is None:
        return None
    text = xml.stored(change.element)
    if len(text.encode()) > resource.view.settings.property_bytes:
        raise InsufficientStorage("the property is larger than this server keeps")
    return text


def _refuse_too_many(resource: Resource, kept: Mapping[str, str | None]) -> None:
    names = set(resource.stored_properties) | {name for name, text in kept.items() if text is not None}
    if len(names) > resource.view.settings.properties:
        raise InsufficientStorage("the resource has as many properties as this server keeps")
