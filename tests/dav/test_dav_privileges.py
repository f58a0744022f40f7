"""What lists of entries come to: evaluated fast, and compared with the words of RFC 3744 sections 3 and 6."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from memory_tree import Folder

from calserver.dav import (
    Ace,
    Acl,
    Extension,
    Extensions,
    Privilege,
    Privileges,
    Resource,
    packed_acl,
    rfc3744,
    unpacked_acl,
)
from calserver.names import CY, D

SPOKEN = Extensions([rfc3744])
MODEL = Privileges(SPOKEN, Folder)
NAMES = sorted(MODEL.every)
PEOPLE: tuple[int | str, ...] = (1, 2, "all", "authenticated", "property:{DAV:}owner", "read-delegates:7")

aces = st.builds(
    Ace,
    st.sampled_from(PEOPLE),
    st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=3),
    deny=st.booleans(),
    invert=st.booleans(),
)
lists = st.lists(aces, max_size=6).map(tuple)


def held(entries: Acl, *whos: int | str) -> set[str]:
    return set(MODEL.held(entries, whos.__contains__))


def grant(who: int | str, *names: str) -> Ace:
    return Ace(who, frozenset(names))


def deny(who: int | str, *names: str) -> Ace:
    return Ace(who, frozenset(names), deny=True)


# -- the slow way ------------------------------------------------------------------------------------------------------

DECLARED = {each.name: each for each in SPOKEN.privileges(Folder)}


def inside(name: str) -> set[str]:
    """A privilege and all that it contains."""
    found = {name}
    while more := {each.name for each in DECLARED.values() if each.within in found} - found:
        found |= more
    return found


def slowly(entries: Iterable[Ace], whos: Iterable[int | str]) -> set[str]:
    """Each privilege that controls something is decided by the first entry about it; the others are sums."""
    known = set(whos)
    decided: dict[str, bool] = {}
    for ace in entries:
        if (ace.who in known) is not ace.invert:
            for name in {each for one in ace.privileges for each in inside(one)}:
                decided.setdefault(name, not ace.deny)
    return {
        name
        for name in DECLARED
        if all(decided.get(each, False) for each in inside(name) if not DECLARED[each].aggregate)
    }


@given(lists, st.sets(st.sampled_from(PEOPLE)))
def test_bits_say_what_words_say(entries: Acl, whos: set[int | str]) -> None:
    assert held(entries, *whos) == slowly(entries, whos)


@given(lists, st.sets(st.sampled_from(PEOPLE)))
def test_who_holds_a_privilege_holds_what_it_contains(entries: Acl, whos: set[int | str]) -> None:
    found = held(entries, *whos)
    assert all(inside(name) <= found for name in found)


@given(lists)
def test_lists_survive_being_stored(entries: Acl) -> None:
    assert unpacked_acl(packed_acl(entries)) == entries


def test_no_list_and_an_empty_one_differ() -> None:
    assert unpacked_acl(packed_acl(None)) is None
    assert unpacked_acl(packed_acl(())) == ()


# -- one by one --------------------------------------------------------------------------------------------------------


def test_nothing_is_held_that_is_not_granted() -> None:
    """RFC 3744 section 6."""
    assert held((), 1, "all") == set()
    assert held((grant(2, D("all")),), 1) == set()


def test_everything_together_is_all() -> None:
    assert held((grant(1, D("all")),), 1) == MODEL.every
    assert held((grant(1, D("read"), D("write"), CY("admin")),), 1) == MODEL.every


def test_what_contains_others_is_held_where_all_of_them_are() -> None:
    """RFC 3744 section 3: to grant an aggregate is to grant what it contains."""
    parts = {CY("add-resource"), CY("make-collection")}
    assert held((grant(1, *parts),), 1) == parts | {D("bind")}
    assert held((grant(1, D("write")), deny(1, D("bind"))), 1) >= {D("write"), D("bind")}
    assert D("write") not in held((deny(1, D("bind")), grant(1, D("write"))), 1)
    assert D("write-content") in held((deny(1, D("bind")), grant(1, D("write"))), 1)


def test_reading_is_more_than_what_it_contains() -> None:
    part = D("read-current-user-privilege-set")
    assert held((grant(1, part),), 1) == {part}
    assert held((deny(1, part), grant(1, D("read"))), 1) == set()


def test_the_first_entry_about_a_privilege_decides() -> None:
    """RFC 3744 section 6."""
    read = {D("read"), D("read-current-user-privilege-set")}
    assert held((grant(1, D("read")), deny(1, D("all"))), 1) == read
    assert held((deny(1, D("read")), grant("all", D("all"))), 1, "all") == MODEL.every - read - {D("all")}


def test_an_inverted_entry_is_about_everybody_else() -> None:
    """RFC 3744 section 5.5.1."""
    others = Ace(1, frozenset({D("read")}), invert=True)
    assert held((others,), 1) == set()
    assert D("read") in held((others,), 2)
    assert D("read") in held((others,))


def test_privileges_that_a_class_does_not_have_are_nothing() -> None:
    assert held((grant(1, "{urn:x}fly"),), 1) == set()


def test_the_shortest_way_to_say_what_is_held() -> None:
    bits = MODEL.bits([D("read"), D("write-properties"), D("write-content"), CY("add-resource")])
    assert MODEL.shortest(bits) == {D("read"), D("write-properties"), D("write-content"), CY("add-resource")}
    assert MODEL.shortest(MODEL.bits([D("read"), D("write"), CY("admin")])) == {D("all")}
    assert MODEL.held_by(bits) >= {D("read-current-user-privilege-set")}


@given(st.sets(st.sampled_from(NAMES)))
def test_the_shortest_way_says_the_same(names: set[str]) -> None:
    bits = MODEL.bits(names)
    assert MODEL.held_by(MODEL.bits(MODEL.shortest(bits))) == MODEL.held_by(bits)


def test_a_privilege_is_under_the_nearest_that_the_class_has() -> None:
    """An extension may put privileges under others that only some classes have."""
    extension = Extension(
        "x",
        privileges=(
            Privilege(name="{x}top", description="Top", within=None, aggregate=True),
            Privilege(name="{x}part", description="Part", within="{x}top"),
            Privilege(name="{x}loose", description="Loose", within="{x}elsewhere"),
        ),
    )
    model = Privileges(Extensions([extension]), Resource)
    assert model.held((Ace(1, frozenset({"{x}top"})),), lambda who: who == 1) == {"{x}top", "{x}part"}
    assert model.held((Ace(1, frozenset({"{x}loose"})),), lambda who: who == 1) == {"{x}loose"}
