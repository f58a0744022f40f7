"""How a protocol module declares what it speaks: one `Extension` value per RFC, each fact once.

`Extensions` derives the rest - the ``DAV`` header, ``Allow``, supported reports, allprop and protected sets - from the
list that the composition root gives it. Nothing registers itself on import.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, cast

import attrs

from calserver.conditions import ConditionFailed
from calserver.dav import xml
from calserver.dav.errors import Refusal
from calserver.dav.locks import guard_content, unguarded
from calserver.dav.message import Request, Response
from calserver.dav.resource import Collection, Resource, Unmapped
from calserver.names import D

Getter = Callable[[Any], "str | None"]
"""A resource to the property's content: plain text is escaped, `xml.Markup` is not, None where it has none.

`xml.Whole` is the property with its own tags.
"""
Setter = Callable[[Any, "Any | None"], None]
"""A resource and the new element (lxml; None removes the property); raises a condition where it is refused.

For a property that is ``stored`` it only checks: the element is then kept verbatim with `Resource.store_properties`.
"""
Handler = Callable[[Request, Any], Response]
"""A request and the resource it goes to, inside the transaction."""
Check = Callable[[Any], None]
"""A resource to nothing; raises where the method may not go on."""
Brief = Callable[[Request], bool]
"""Whether answering a request takes little time as a rule; what does not then says so by `View.take_time`."""

T = TypeVar("T")
G = TypeVar("G", bound=Getter)
H = TypeVar("H", bound=Handler)


@attrs.define(slots=True)
class PropertyDeclaration:
    """A live property on some classes of resources. Protected (RFC 4918 section 15) until a setter is declared.

    ``stored`` says that clients set it and that it is kept verbatim among `Resource.stored_properties`; ``get`` is
    then what it is until a client has set it. ``create`` is the setter of the requests that make a collection
    (extended MKCOL, MKCALENDAR), where it may be set then and not later.
    """

    name: str
    on: tuple[type[Resource], ...]
    get: Getter
    allprop: bool = False
    set: Setter | None = None
    stored: bool = False
    needs: str | None = None
    create: Setter | None = None

    @property
    def protected(self) -> bool:
        """Whether clients cannot set it."""
        return self.set is None and not self.stored

    def fits(self, kind: type[Resource]) -> bool:
        """Whether a class has what the property needs."""
        return self.needs is None or _overrides(kind, self.needs)

    def setter(self, function: Setter) -> Setter:
        """Declare how PROPPATCH, MKCOL and MKCALENDAR set it."""
        self.set = function
        return function

    def creator(self, function: Setter) -> Setter:
        """Declare how MKCOL and MKCALENDAR set it where PROPPATCH cannot, or does it in another way."""
        self.create = function
        return function

    def __call__(self, resource: Any) -> str | None:
        """The content on a resource."""
        return self.get(resource)


@attrs.frozen(slots=True)
class MethodDeclaration:
    """A method on some classes of resources.

    ``parse`` are functions of the request alone that `Extensions.prepare` calls before the transaction is opened.
    ``needs`` names the function that a class (for `Unmapped` its parent's class) must have overridden to have the
    method. ``allow`` checks privileges before anything else is looked at, ``guard`` locks after conditional headers.
    ``brief`` says whether a request may be answered in a hurry. ``known_by`` tells requests for a method that does not
    write from those for one of the same name that does, before the resource is known.
    """

    name: str
    on: tuple[type[Resource], ...]
    handle: Handler
    writes: bool
    parse: tuple[Callable[[Request], Any], ...] = ()
    needs: str | None = None
    allow: Check | None = None
    guard: Check = unguarded
    brief: Brief | None = None
    known_by: Callable[[Request], bool] | None = None

    def fits(self, kind: type[Resource]) -> bool:
        """Whether a class does what the method needs."""
        return self.needs is None or _overrides(kind, self.needs)


@attrs.frozen(slots=True)
class ReportDeclaration:
    """A REPORT (RFC 3253 section 3.6) on some classes of resources; ``name`` is its root element.

    ``body`` turns the root element into a value; it runs before the transaction where it can. ``brief`` says that
    answering takes little time as a rule; what does not then says so by `View.take_time`.
    """

    name: str
    on: tuple[type[Resource], ...]
    body: Callable[[Any], Any]
    handle: Callable[[Request, Any, Any], Response]
    writes: bool = False
    needs: str | None = None
    brief: bool = False

    def parse(self, request: Request) -> Any:
        """What ``body`` makes of the root element of the request. For `Request.parsed`."""
        return self.body(xml.required_body(request, self.name))

    def fits(self, kind: type[Resource]) -> bool:
        """Whether a class does what the report needs."""
        return self.needs is None or _overrides(kind, self.needs)


@attrs.frozen(slots=True, kw_only=True)
class Privilege:
    """A privilege on some classes of resources (RFC 3744 section 3); ``within`` is the one that contains it.

    An ``aggregate`` is no more than what it contains. An ``abstract`` one cannot be granted by itself.
    """

    name: str
    description: str
    within: str | None = D("all")
    on: tuple[type[Resource], ...] = (Resource,)
    aggregate: bool = False
    abstract: bool = False


@attrs.define(slots=True)
class Extension:
    """One RFC: its title, its tokens in the ``DAV`` header, its conditions, and what it adds to which resources."""

    title: str
    features: tuple[str, ...] = ()
    conditions: tuple[type[ConditionFailed], ...] = ()
    privileges: tuple[Privilege, ...] = ()
    properties: list[PropertyDeclaration] = attrs.field(factory=list, init=False)
    methods: list[MethodDeclaration] = attrs.field(factory=list, init=False)
    reports: list[ReportDeclaration] = attrs.field(factory=list, init=False)

    def property(
        self,
        name: str,
        *,
        on: type[Resource] | Sequence[type[Resource]],
        allprop: bool = False,
        stored: bool = False,
        needs: str | None = None,
    ) -> Callable[[Getter], PropertyDeclaration]:
        """Declare a live property; the decorated getter becomes its declaration."""

        def declare(get: Getter) -> PropertyDeclaration:
            declaration = PropertyDeclaration(name, _classes(on), get, allprop, stored=stored, needs=needs)
            self.properties.append(declaration)
            return declaration

        return declare

    def method(
        self,
        name: str,
        *,
        on: type[Resource] | Sequence[type[Resource]],
        writes: bool,
        parse: Iterable[Callable[[Request], Any]] = (),
        needs: str | None = None,
        allow: Check | None = None,
        guard: Check | None = None,
        brief: Brief | None = None,
        known_by: Callable[[Request], bool] | None = None,
    ) -> Callable[[H], H]:
        """Declare a method. The most derived class that has one wins; the later extension wins over the earlier.

        What is declared on `Resource` does not hold for `Unmapped`. Without a ``guard``, a method that writes is kept
        from what others have locked, and a new member from a locked collection.
        """
        guard = guard or (guard_content if writes else unguarded)

        def declare(handle: H) -> H:
            declared = MethodDeclaration(
                name, _classes(on), handle, writes, tuple(parse), needs, allow, guard, brief=brief, known_by=known_by
            )
            self.methods.append(declared)
            return handle

        return declare

    def report(
        self,
        name: str,
        *,
        on: type[Resource] | Sequence[type[Resource]],
        body: Callable[[Any], Any],
        writes: bool = False,
        needs: str | None = None,
        brief: bool = False,
    ) -> Callable[[Callable[[Request, Any, Any], Response]], Callable[[Request, Any, Any], Response]]:
        """Declare a report: the handler gets the request, the resource and what `body` made of the root element.

        The handler checks privileges itself.
        """

        def declare(
            handle: Callable[[Request, Any, Any], Response],
        ) -> Callable[[Request, Any, Any], Response]:
            self.reports.append(ReportDeclaration(name, _classes(on), body, handle, writes, needs, brief))
            return handle

        return declare


def _overrides(kind: type[Resource], name: str) -> bool:
    """Whether a class has its own version of an attribute that `Resource` or `Collection` define."""
    found = getattr(kind, name, None)
    return all(found is not vars(one).get(name) for one in (Resource, Collection)) and bool(found)


def _classes(on: type[Resource] | Sequence[type[Resource]]) -> tuple[type[Resource], ...]:
    return (on,) if isinstance(on, type) else tuple(on)


class Extensions:
    """All that the server speaks, and what follows from it. Later extensions win over earlier ones."""

    def __init__(self, spoken: Iterable[Extension]) -> None:
        self.spoken = tuple(spoken)
        self._properties: dict[type[Resource], dict[str, PropertyDeclaration]] = {}
        self._methods: dict[type[Resource], dict[str, MethodDeclaration]] = {}
        self._reports: dict[type[Resource], dict[str, ReportDeclaration]] = {}
        self._derived: dict[Any, Any] = {}
        self.known_methods = frozenset(each.name for one in self.spoken for each in one.methods)
        self._writing = frozenset(each.name for one in self.spoken for each in one.methods if each.writes)
        self._reading = [each for one in self.spoken for each in one.methods if each.known_by is not None]
        self._parsers = {
            name: tuple({p: None for one in self.spoken for m in one.methods if m.name == name for p in m.parse})
            for name in self.known_methods
        }
        self._brief = {
            name: {m.brief for one in self.spoken for m in one.methods if m.name == name} for name in self.known_methods
        }
        self._all_reports: dict[str, list[ReportDeclaration]] = {}
        for one in self.spoken:
            for report in one.reports:
                self._all_reports.setdefault(report.name, []).append(report)
        self.features = tuple(token for one in self.spoken for token in one.features)
        self.dav_header = ", ".join(self.features)

    def properties(self, kind: type[Resource]) -> dict[str, PropertyDeclaration]:
        """Live properties of a class of resources by Clark name."""
        if kind not in self._properties:
            self._properties[kind] = self._collect(kind, [one.properties for one in self.spoken])
        return self._properties[kind]

    def methods(self, kind: type[Resource]) -> dict[str, MethodDeclaration]:
        """Methods of a class of resources by name."""
        if kind not in self._methods:
            self._methods[kind] = self._collect(kind, [one.methods for one in self.spoken])
        return self._methods[kind]

    def privileges(self, kind: type[Resource]) -> tuple[Privilege, ...]:
        """Privileges that there are on a class of resources."""
        return tuple(each for one in self.spoken for each in one.privileges if issubclass(kind, each.on))

    def allow(self, resource: Resource) -> tuple[str, ...]:
        """The methods of a resource for the Allow header: for `Unmapped`, those that its collection lets be used."""
        methods = self.methods(type(resource))
        if not resource.exists:
            kind = type(resource.parent) if resource.parent is not None else Collection
            return tuple(sorted(name for name, each in methods.items() if each.fits(kind)))
        return tuple(sorted(methods.keys() - resource.without))

    def writes(self, request: Request) -> bool:
        """Whether a request needs a writing transaction, as far as can be told before its resource is known."""
        if request.method != "REPORT":
            return request.method in self._writing and not any(
                each.name == request.method and each.known_by is not None and each.known_by(request)
                for each in self._reading
            )
        return any(each.writes for each in self._asked_reports(request))

    def brief(self, request: Request) -> bool:
        """Whether a request may be answered in a hurry."""
        if self.writes(request):
            return False
        if request.method == "REPORT":
            asked = self._asked_reports(request)
            return bool(asked) and all(each.brief for each in asked)
        declared = self._brief.get(request.method, ())
        return bool(declared) and all(brief is not None and brief(request) for brief in declared)

    def prepare(self, request: Request) -> None:
        """Run the declared parsers of a request, before the transaction; what they raise comes up in the handler."""
        parsers = list(self._parsers.get(request.method, ()))
        if request.method == "REPORT":
            parsers += [each.parse for each in self._asked_reports(request)]
        for parse in parsers:
            try:
                request.parsed(parse)
            except (Refusal, ConditionFailed):
                continue  # `Request.parsed` keeps it, and the handler that asks for the value raises it

    def _asked_reports(self, request: Request) -> Sequence[ReportDeclaration]:
        try:
            root = request.parsed(xml.body)
        except Refusal:
            return ()
        return () if root is None else self._all_reports.get(root.tag, ())

    def reports(self, kind: type[Resource]) -> dict[str, ReportDeclaration]:
        """Reports of a class of resources by the Clark name of their root element."""
        if kind not in self._reports:
            self._reports[kind] = self._collect(kind, [one.reports for one in self.spoken])
        return self._reports[kind]

    def derived(self, kind: type[Resource], build: "Callable[[Extensions, type[Resource]], T]") -> T:
        """What `build` makes of this and a class of resources, made once."""
        key = (kind, build)
        if key not in self._derived:
            self._derived[key] = build(self, kind)
        return cast(T, self._derived[key])

    @staticmethod
    def _collect(kind: type[Resource], declared: Iterable[Iterable[Any]]) -> dict[str, Any]:
        """The declarations that hold for `kind`: the nearest class in its MRO wins, then the last declared."""
        ranked: dict[str, tuple[int, Any]] = {}
        order: tuple[type, ...] = kind.__mro__
        if issubclass(kind, Unmapped):
            order = order[: order.index(Unmapped) + 1]
        for declarations in declared:
            for each in declarations:
                ranks = [order.index(one) for one in each.on if one in order]
                fits = issubclass(kind, Unmapped) or each.fits(kind)
                if ranks and fits and (each.name not in ranked or min(ranks) <= ranked[each.name][0]):
                    ranked[each.name] = (min(ranks), each)
        return {name: each for name, (_, each) in ranked.items()}
