"""How a protocol module declares what it speaks: one `Extension` value per RFC, each fact once.

`Extensions` derives the rest - the ``DAV`` header, ``Allow``, supported reports, allprop and protected sets - from the
list that the composition root gives it. Nothing registers itself on import.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import attrs

from calserver.conditions import ConditionFailed
from calserver.dav.message import Request, Response
from calserver.dav.resource import Resource

Getter = Callable[[Any], "str | None"]
"""A resource to the property's content: plain text is escaped, `xml.Markup` is not, None where it has none."""
Setter = Callable[[Any, "Any | None"], None]
"""A resource and the new element (lxml; None removes the property); raises a condition where it is refused.

For a property that is ``stored`` it only checks: the element is then kept verbatim with `Resource.store_properties`.
"""
Handler = Callable[[Request, Any], Response]
"""A request and the resource it goes to, inside the transaction."""

G = TypeVar("G", bound=Getter)
H = TypeVar("H", bound=Handler)


@attrs.define(slots=True)
class PropertyDeclaration:
    """A live property on some classes of resources. Protected (RFC 4918 section 15) until a setter is declared.

    ``stored`` says that clients set it and that it is kept verbatim among `Resource.stored_properties`; ``get`` is
    then what it is until a client has set it.
    """

    name: str
    on: tuple[type[Resource], ...]
    get: Getter
    allprop: bool = False
    set: Setter | None = None
    stored: bool = False

    @property
    def protected(self) -> bool:
        """Whether clients cannot set it."""
        return self.set is None and not self.stored

    def setter(self, function: Setter) -> Setter:
        """Declare how PROPPATCH, MKCOL and MKCALENDAR set it."""
        self.set = function
        return function

    def __call__(self, resource: Any) -> str | None:
        """The content on a resource."""
        return self.get(resource)


@attrs.frozen(slots=True)
class MethodDeclaration:
    """A method on some classes of resources.

    ``parse`` are functions of the request alone that `Extensions.prepare` calls before the transaction is opened.
    """

    name: str
    on: tuple[type[Resource], ...]
    handle: Handler
    writes: bool
    parse: tuple[Callable[[Request], Any], ...] = ()


@attrs.frozen(slots=True)
class ReportDeclaration:
    """A REPORT (RFC 3253 section 3.6) on some classes of resources; ``name`` is its root element.

    ``body`` turns the root element into a value; it runs before the transaction where it can.
    """

    name: str
    on: tuple[type[Resource], ...]
    body: Callable[[Any], Any]
    handle: Callable[[Request, Any, Any], Response]
    writes: bool = False


@attrs.define(slots=True)
class Extension:
    """One RFC: its title, its tokens in the ``DAV`` header, its conditions, and what it adds to which resources.

    A token may be limited to some resources by `feature`.
    """

    title: str
    features: tuple[str, ...] = ()
    conditions: tuple[type[ConditionFailed], ...] = ()
    properties: list[PropertyDeclaration] = attrs.field(factory=list, init=False)
    methods: list[MethodDeclaration] = attrs.field(factory=list, init=False)
    reports: list[ReportDeclaration] = attrs.field(factory=list, init=False)

    def property(
        self, name: str, *, on: type[Resource] | Sequence[type[Resource]], allprop: bool = False, stored: bool = False
    ) -> Callable[[Getter], PropertyDeclaration]:
        """Declare a live property; the decorated getter becomes its declaration."""

        def declare(get: Getter) -> PropertyDeclaration:
            declaration = PropertyDeclaration(name, _classes(on), get, allprop, stored=stored)
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
    ) -> Callable[[H], H]:
        """Declare a method. The most derived class that has one wins; the later extension wins over the earlier."""

        def declare(handle: H) -> H:
            self.methods.append(MethodDeclaration(name, _classes(on), handle, writes, tuple(parse)))
            return handle

        return declare

    def report(
        self,
        name: str,
        *,
        on: type[Resource] | Sequence[type[Resource]],
        body: Callable[[Any], Any],
        writes: bool = False,
    ) -> Callable[[Callable[[Request, Any, Any], Response]], Callable[[Request, Any, Any], Response]]:
        """Declare a report: the handler gets the request, the resource and what `body` made of the root element."""

        def declare(
            handle: Callable[[Request, Any, Any], Response],
        ) -> Callable[[Request, Any, Any], Response]:
            self.reports.append(ReportDeclaration(name, _classes(on), body, handle, writes))
            return handle

        return declare


def _classes(on: type[Resource] | Sequence[type[Resource]]) -> tuple[type[Resource], ...]:
    return (on,) if isinstance(on, type) else tuple(on)


class Extensions:
    """All that the server speaks, and what follows from it. Later extensions win over earlier ones."""

    def __init__(self, spoken: Iterable[Extension]) -> None:
        self.spoken = tuple(spoken)
        self._properties: dict[type[Resource], dict[str, PropertyDeclaration]] = {}
        self._methods: dict[type[Resource], dict[str, MethodDeclaration]] = {}
        self._reports: dict[type[Resource], dict[str, ReportDeclaration]] = {}
        self.known_methods = frozenset(each.name for one in self.spoken for each in one.methods)
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

    def reports(self, kind: type[Resource]) -> dict[str, ReportDeclaration]:
        """Reports of a class of resources by the Clark name of their root element."""
        if kind not in self._reports:
            self._reports[kind] = self._collect(kind, [one.reports for one in self.spoken])
        return self._reports[kind]

    @staticmethod
    def _collect(kind: type[Resource], declared: Iterable[Iterable[Any]]) -> dict[str, Any]:
        """The declarations that hold for `kind`: the nearest class in its MRO wins, then the last declared."""
        ranked: dict[str, tuple[int, Any]] = {}
        order = kind.__mro__
        for declarations in declared:
            for each in declarations:
                ranks = [order.index(one) for one in each.on if one in order]
                if ranks and (each.name not in ranked or min(ranks) <= ranked[each.name][0]):
                    ranked[each.name] = (min(ranks), each)
        return {name: each for name, (_, each) in ranked.items()}
