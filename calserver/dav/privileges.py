"""What access control lists come to for somebody (RFC 3744 sections 3 and 6).

Entries are looked at in their order, and each privilege is decided by the first that names it, or one that contains it,
and that is about who asks. What no entry grants is not held. A privilege that contains others is held where all of them
are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from calserver.dav.acl import Ace, Matches
from calserver.dav.extension import Extensions, Privilege
from calserver.dav.resource import Resource


class Privileges:
    """The privileges of one class of resources, as sets of bits: made once, then evaluation is arithmetic.

    For `Extensions.derived`.
    """

    def __init__(self, spoken: Extensions, kind: type[Resource]) -> None:
        declared = spoken.privileges(kind)
        self.every = frozenset(each.name for each in declared)
        self.abstract = frozenset(each.name for each in declared if each.abstract)
        inside: dict[str | None, list[Privilege]] = {}
        for each in declared:
            inside.setdefault(each.within, []).append(each)
        self._contents: dict[str, int] = {}
        self._containers = {each.name: frozenset(_above(each, declared)) for each in declared}
        for each in declared:
            if each.within not in self.every:
                self._number(each, inside)
        self._held = lru_cache(maxsize=512)(self._names)

    def _number(self, one: Privilege, inside: Mapping[str | None, list[Privilege]]) -> int:
        """Give numbers to a privilege and all that it contains; returns them as bits."""
        bits = 0
        for each in inside.get(one.name, ()):
            bits |= self._number(each, inside)
        if not one.aggregate or not bits:
            bits |= 1 << len(self._contents)
        self._contents[one.name] = bits
        return bits

    def bits(self, names: Iterable[str]) -> int:
        """What the privileges of these names come to; those that there are not on this class are nothing."""
        found = 0
        for name in names:
            found |= self._contents.get(name, 0)
        return found

    def held_by(self, bits: int) -> frozenset[str]:
        """All privileges that these bits come to, aggregated ones included."""
        return self._held(bits)

    def shortest(self, bits: int) -> frozenset[str]:
        """The same without those that another one contains."""
        held = self.held_by(bits)
        return frozenset(each for each in held if not self._containers[each] & held)

    def _names(self, bits: int) -> frozenset[str]:
        return frozenset(name for name, contents in self._contents.items() if not contents & ~bits)

    def held(self, acl: Iterable[Ace], matches: Matches) -> frozenset[str]:
        """The privileges that a list gives to who asks, aggregated ones included."""
        granted = denied = 0
        for ace in acl:
            if ace.about(matches):
                new = self.bits(ace.privileges)
                if ace.deny:
                    denied |= new & ~granted
                else:
                    granted |= new & ~denied
        return self._held(granted)


def _above(one: Privilege, declared: Sequence[Privilege]) -> Iterator[str]:
    """The privileges that contain one."""
    for each in declared:
        if each.name == one.within:
            yield each.name
            yield from _above(each, declared)
