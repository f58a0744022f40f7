"""iCalendar and jCal data as values: components of properties of raw text, nothing lost (RFC 5545 section 3).

The model keeps what was sent: the order of properties, their parameters and their values *as spelled* (still escaped).
Typed reading - an instant, a recurrence rule, an address - happens on demand in the modules that need it, so that
storing an object costs one scan over its lines.
"""

from collections.abc import Callable, Iterator

import attrs


@attrs.frozen(slots=True)
class Property:
    """One content line (RFC 5545 section 3.1).

    ``name`` and the parameter names are upper case; ``params`` maps a name to its values, unquoted and with RFC 6868
    escapes resolved; ``value`` is the raw text after the colon, unfolded but still escaped.
    """

    name: str
    value: str
    params: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def param(self, name: str, default: str | None = None) -> str | None:
        """First value of a parameter, or `default`."""
        for key, values in self.params:
            if key == name:
                return values[0] if values else ""
        return default

    def with_param(self, name: str, value: str | None) -> "Property":
        """This property with one parameter replaced, or removed where `value` is None."""
        kept = tuple(pair for pair in self.params if pair[0] != name)
        return attrs.evolve(self, params=kept if value is None else (*kept, (name, (value,))))

    def with_value(self, value: str) -> "Property":
        """This property with another raw value."""
        return attrs.evolve(self, value=value)


@attrs.frozen(slots=True)
class Component:
    """A component: ``VCALENDAR`` and all that is in it (RFC 5545 section 3.6). The name is upper case."""

    name: str
    properties: tuple[Property, ...] = ()
    components: tuple["Component", ...] = ()

    def first(self, name: str) -> Property | None:
        """The first property of this name."""
        for each in self.properties:
            if each.name == name:
                return each
        return None

    def value(self, name: str, default: str | None = None) -> str | None:
        """Raw value of the first property of this name."""
        found = self.first(name)
        return default if found is None else found.value

    def all(self, name: str) -> tuple[Property, ...]:
        """All properties of this name, in order."""
        return tuple(each for each in self.properties if each.name == name)

    def children(self, *names: str) -> tuple["Component", ...]:
        """The direct sub-components with one of these names."""
        return tuple(each for each in self.components if each.name in names)

    def replacing(self, name: str, *properties: Property) -> "Component":
        """This component with all properties called `name` replaced by `properties` (none: removed).

        They take the place of the first one, or come last where there was none.
        """
        result: list[Property] = []
        placed = False
        for each in self.properties:
            if each.name != name:
                result.append(each)
            elif not placed:
                result.extend(properties)
                placed = True
        if not placed:
            result.extend(properties)
        return attrs.evolve(self, properties=tuple(result))

    def with_components(self, components: tuple["Component", ...]) -> "Component":
        """This component with other sub-components."""
        return attrs.evolve(self, components=components)

    def map(self, change: "Callable[[Component], Component | None]") -> "Component":
        """This component with `change` applied to each direct sub-component; None removes it."""
        return self.with_components(tuple(new for each in self.components if (new := change(each)) is not None))

    def walk(self) -> Iterator["Component"]:
        """This component and all below it, outermost first."""
        yield self
        for each in self.components:
            yield from each.walk()
