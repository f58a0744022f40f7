"""Making and changing principals, and how they are called."""

import pytest

from calserver.directory import (
    ANONYMOUS,
    AccountRefused,
    Actor,
    NoSuchPrincipal,
    accounts,
    addresses_of,
    find,
    find_many,
    normalize,
    preferred,
)
from calserver.directory.accounts import change, create, named, provision_nothing, remove, split_name
from calserver.store import Principal, Store, Transaction

GUID = "0C8BDE62-E600-4696-83D3-8B5ECABDFD2E"


def make(store: Store, uid: str, **facts: object) -> Principal:
    return store.write_now(lambda txn: create(txn, uid, provision=provision_nothing, **facts))


# -- making --------------------------------------------------------------------------------------------------------


def test_what_is_missing_is_made_up(store: Store) -> None:
    made = make(store, "ann", domain="example.com")
    assert (made.kind, made.name, made.addresses) == ("user", "ann", ("mailto:ann@example.com",))
    assert len(made.guid) == 36
    assert made.guid == made.guid.upper()
    assert make(store, "bob@example.org", domain="example.com").addresses == ("mailto:bob@example.org",)
    assert make(store, "carl").addresses == ()


def test_everything_is_kept_in_one_form(store: Store) -> None:
    made = make(
        store,
        "Zoe\u0308",
        guid=GUID.lower(),
        name="  Lee,   Ann ",
        addresses=("MAILTO:Ann@Example.COM", "ann@example.com", "al%40x.org@y.org"),
    )
    assert (made.uid, made.guid, made.name) == ("Zo\u00eb", GUID, "Lee, Ann")
    assert (made.first_name, made.last_name) == ("Ann", "Lee")
    assert made.addresses == ("mailto:ann@example.com", "mailto:al%40x.org@y.org")


def test_a_new_principal_gets_what_everybody_has(store: Store) -> None:
    def give(txn: Transaction, principal: Principal) -> None:
        txn.collections.add_home(principal.id, "drive-home")

    made = store.write_now(lambda txn: create(txn, "ann", provision=give))
    assert store.read_now(lambda txn: txn.collections.home(made.id, "drive-home")) is not None


@pytest.mark.parametrize(
    "uid", ["", ".", "..", "a/b", "a b", "a\tb", "a:b", "a\\b", "a\x00", "a\u202eb", "x" * 256, "\u00e4" * 128]
)
def test_a_uid_is_a_path_segment_a_user_name_and_a_word(store: Store, uid: str) -> None:
    """RFC 7617 section 2 has no colon in user names."""
    with pytest.raises(AccountRefused):
        make(store, uid)


@pytest.mark.parametrize("uid", ["a", "a@b", "a+b", "a%b", "\u307e\u3060", "a.b-c_d", "x" * 255])
def test_other_uids_are_taken(store: Store, uid: str) -> None:
    assert make(store, uid).uid == uid


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "robot"},
        {"guid": "1234"},
        {"addresses": ("no address",)},
        {"addresses": ("a@b@c",)},
        {"addresses": ("a b@c",)},
        {"addresses": ("mailto:",)},
        {"addresses": (f"urn:uuid:{GUID}",)},
        {"addresses": ("x@" + "y" * 255,)},
        {"name": "a\x00b"},
        {"auto_schedule": "sometimes"},
        {"capacity": 0},
    ],
)
def test_what_is_not_valid_is_refused(store: Store, facts: dict[str, object]) -> None:
    with pytest.raises(AccountRefused):
        make(store, "ann", **facts)
    assert store.read_now(lambda txn: txn.principals.list()) == []


def test_who_has_something_already_is_told(store: Store) -> None:
    make(store, "ann", guid=GUID, addresses=("ann@example.com",))
    with pytest.raises(AccountRefused, match="there is a user 'ann' already"):
        make(store, "ann")
    with pytest.raises(AccountRefused, match=r"mailto:ann@example\.com belongs to the user 'ann'"):
        make(store, "bob", addresses=("Ann@example.com",))
    with pytest.raises(AccountRefused, match="belongs to the user 'ann'"):
        make(store, "bob", guid=GUID)
    assert make(store, "ann", kind="group").uid == "ann"


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Ann Lee", "Ann", "Lee"),
        ("User 01", "User", "01"),
        ("Ann B. Lee", "Ann B.", "Lee"),
        ("Lee, Ann B.", "Ann B.", "Lee"),
        ("Ludwig van Beethoven", "Ludwig", "van Beethoven"),
        ("Maria de la Cruz", "Maria", "de la Cruz"),
        ("van Gogh", "van", "Gogh"),
        ("\u307e\u3060", "\u307e\u3060", ""),
        ("Lee,", "Lee,", ""),
    ],
)
def test_names_are_split_sensibly(name: str, first: str, last: str) -> None:
    assert split_name(name) == (first, last)


# -- changing ------------------------------------------------------------------------------------------------------


def test_a_new_name_brings_new_first_and_last_names(store: Store) -> None:
    ann = make(store, "ann", name="Ann Lee", password_hash="$argon2id$x")
    changed = store.write_now(lambda txn: change(txn, ann, name="Ann Smith"))
    assert (changed.first_name, changed.last_name, changed.guid) == ("Ann", "Smith", ann.guid)
    assert (changed.password_hash, changed.revision > ann.revision) == ("$argon2id$x", True)


def test_a_change_of_nothing_is_none(store: Store) -> None:
    ann = make(store, "ann", name="Ann Lee")
    assert store.write_now(lambda txn: change(txn, ann, name="Ann Lee")).revision == ann.revision


def test_nobody_can_be_changed_into_somebody_else(store: Store) -> None:
    make(store, "ann", addresses=("ann@example.com",))
    bob = make(store, "bob")
    with pytest.raises(AccountRefused, match="belongs to"):
        store.write_now(lambda txn: change(txn, bob, addresses=("ann@example.com",)))
    with pytest.raises(AccountRefused, match="already"):
        store.write_now(lambda txn: change(txn, bob, uid="ann"))


def test_who_is_removed_leaves_nothing_behind(store: Store) -> None:
    ann = make(store, "ann", guid=GUID, addresses=("ann@example.com",))
    store.write_now(lambda txn: remove(txn, ann))
    assert make(store, "ann", guid=GUID, addresses=("ann@example.com",)).id


def test_people_are_named_by_uid_kind_and_mail_address(store: Store) -> None:
    ann = make(store, "ann", addresses=("a.lee@example.com",))
    group = make(store, "ann", kind="group")
    hall = make(store, "hall", kind="location")

    def who(name: str, *kinds: str) -> int:
        return store.read_now(lambda txn: named(txn, name, kinds or accounts.KINDS).id)

    assert who("ann") == ann.id
    assert who("group/ann") == group.id
    assert who("ann", "group") == group.id
    assert who("hall") == hall.id
    assert who("A.Lee@Example.com") == ann.id
    for name, kinds in (("nobody", ()), ("user/hall", ()), ("hall", ("user",)), ("a.lee@example.com", ("group",))):
        with pytest.raises(NoSuchPrincipal):
            who(name, *kinds)


# -- addresses -----------------------------------------------------------------------------------------------------


def test_every_spelling_of_an_address_means_the_same_principal(store: Store) -> None:
    """RFC 6638 section 2.4.1."""
    ann = make(store, "ann", guid=GUID, addresses=("ann@example.com",))
    spellings = [
        "mailto:ann@example.com",
        "MAILTO:Ann@EXAMPLE.com",
        " mailto:ann%40example.com ",
        "mailto:ann@example.com?subject=x",
        f"urn:uuid:{GUID}",
        f"URN:UUID:{GUID.lower()}",
        f"urn:x-uid:{GUID}",
        "/dav/principals/user/ann/",
        "/dav/principals/user/ann",
        "/dav/principals/user/%61nn",
        "https://cal.example.com/dav/principals/user/ann/",
        "HTTPS://CAL.example.com/dav/principals/user/ann",
        *addresses_of(ann, "/dav/"),
    ]
    found = store.read_now(lambda txn: find_many(txn, spellings, prefix="/dav/", origin="https://cal.example.com"))
    assert {name: each.id for name, each in found.items()} == dict.fromkeys(spellings, ann.id)


def test_addresses_of_others_mean_nobody(store: Store) -> None:
    make(store, "ann", guid=GUID, addresses=("ann@example.com",))
    for address in (
        "",
        "mailto:",
        "mailto:bob@example.com",
        "ann",
        "https://elsewhere.example/dav/principals/user/ann/",
        "https://cal.example.com.evil.example/dav/principals/user/ann/",
        "/dav/principals/user/ann/calendar-proxy-read/",
        "/dav/principals/group/ann/",
        "/dav/principals/user/../user/ann",
        "/other/principals/user/ann/",
        "/dav/calendars/user/ann/",
        "urn:uuid:",
        "urn:uuid:" + GUID[:-1],
        "tel:+1",
    ):
        found = store.read_now(
            lambda txn, address=address: find(txn, address, prefix="/dav/", origin="https://cal.example.com")
        )
        assert found is None, address


def test_without_an_origin_only_paths_are_local(store: Store) -> None:
    ann = make(store, "ann")
    found = store.read_now(lambda txn: find(txn, "/principals/user/ann/", prefix="/"))
    assert found is not None
    assert found.id == ann.id
    assert store.read_now(lambda txn: find(txn, "https://x/principals/user/ann/", prefix="/")) is None


def test_the_preferred_address_is_mail_where_there_is_one(store: Store) -> None:
    assert preferred(make(store, "ann", addresses=("b@x.org", "a@x.org"))) == "mailto:b@x.org"
    assert preferred(make(store, "bob", guid=GUID)) == f"urn:uuid:{GUID}"


def test_normalizing_twice_is_normalizing_once() -> None:
    for text in ("mailto:A%40b.C", "URN:UUID:ABC", "urn:x-uid:ABC", "A@B", "http://Host/Path/", "", ":", "mailto:%25"):
        assert normalize(normalize(text)) == normalize(text)


# -- actors --------------------------------------------------------------------------------------------------------


def test_an_actor_knows_all_groups_it_is_in(store: Store) -> None:
    ann, inner, outer = make(store, "ann"), make(store, "inner", kind="group"), make(store, "outer", kind="group")

    def join(txn: Transaction) -> Actor:
        txn.principals.set_members(inner.id, [ann.id])
        txn.principals.set_members(outer.id, [inner.id])
        return Actor.of(txn, ann)

    actor = store.write_now(join)
    assert actor.groups == {inner.id, outer.id}
    assert str(actor.href) == "principals/user/ann/"
    assert (ANONYMOUS.href, ANONYMOUS.principal_id, ANONYMOUS.administrator) == (None, None, False)
