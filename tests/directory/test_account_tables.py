"""Principals as comma-separated values, in and out."""

import pytest

from calserver.directory import TableRefused, table
from calserver.directory.accounts import provision_nothing
from calserver.directory.table import Imported
from calserver.store import Principal, Store, Transaction

TABLE = """\
uid,password,name,email,guid,type,admin,groups,members,write_proxies,read_proxies,auto_schedule,auto_accept_group,capacity,scheduling
ann,secret,Ann Lee,ann@example.com al@x.org,0C8BDE62-E600-4696-83D3-8B5ECABDFD2E,,yes,late,,,,,,,
bob,,"Berg, Bob",,,user,,staff,,,,,,,
hall,,Big hall,,,location,,,,staff,ann,automatic,staff,3,
staff,,All staff,,,group,,,ann late,,,,,,
late,,Latecomers,,,group,,,,,,,,,no
"""


def load(store: Store, text: str, *, domain: str = "example.com") -> Imported:
    rows = [each.hashed(lambda password: f"$argon2id$of-{password}") for each in table.read(text)]
    return store.write_now(lambda txn: table.write(txn, rows, provision=provision_nothing, domain=domain))


def problems(store: Store, text: str) -> list[int]:
    """The lines of a table that are refused; nothing is changed."""

    def count(txn: Transaction) -> int:
        return len(txn.principals.list())

    before = store.read_now(count)
    with pytest.raises(TableRefused) as refused:
        load(store, text)
    assert store.read_now(count) == before
    assert all(f"line {line}: " in str(refused.value) for line, _ in refused.value.problems)
    return [line for line, _ in refused.value.problems]


def test_a_table_makes_everybody_with_all_relations(store: Store) -> None:
    assert load(store, TABLE) == Imported(("ann", "bob", "hall", "staff", "late"), (), 0)

    def check(txn: Transaction) -> None:
        def one(kind: str, uid: str) -> Principal:
            found = txn.principals.by_uid(kind, uid)
            assert found is not None
            return found

        def uids(found: object) -> set[str]:
            return {each.uid for each in found}  # type: ignore[attr-defined]  # principals

        ann, hall, staff = one("user", "ann"), one("location", "hall"), one("group", "staff")
        assert (ann.name, ann.first_name, ann.last_name, ann.administrator) == ("Ann Lee", "Ann", "Lee", True)
        assert ann.addresses == ("mailto:ann@example.com", "mailto:al@x.org")
        assert (ann.guid, ann.password_hash) == ("0C8BDE62-E600-4696-83D3-8B5ECABDFD2E", "$argon2id$of-secret")
        assert one("user", "bob").addresses == ("mailto:bob@example.com",)
        assert one("user", "bob").password_hash is None
        assert (hall.auto_schedule, hall.auto_accept_group, hall.capacity) == ("automatic", "staff", 3)
        assert one("group", "late").scheduling is False
        assert uids(txn.principals.members(staff.id)) == {"ann", "late", "bob"}
        assert uids(txn.principals.members(one("group", "late").id)) == {"ann"}
        assert uids(txn.principals.delegates(hall.id, "write")) == {"staff"}
        assert uids(txn.principals.delegates(hall.id, "read")) == {"ann"}

    store.read_now(check)


def test_the_same_table_again_changes_nothing(store: Store) -> None:
    load(store, TABLE)
    before = store.read_now(lambda txn: (txn.principals.revision(), table.export(txn, passwords=True)))
    assert load(store, TABLE) == Imported((), (), 5)
    assert store.read_now(lambda txn: (txn.principals.revision(), table.export(txn, passwords=True))) == before


def test_a_table_of_uids_is_enough(store: Store) -> None:
    assert load(store, "uid\nann\n\nbob\n").created == ("ann", "bob")


def test_what_has_no_column_stays(store: Store) -> None:
    load(store, TABLE)
    assert load(store, "uid,name\nann,Ann Smith\n") == Imported((), ("ann",), 0)
    ann = store.read_now(lambda txn: txn.principals.by_uid("user", "ann"))
    assert ann is not None
    assert (ann.last_name, ann.administrator, ann.password_hash) == ("Smith", True, "$argon2id$of-secret")
    assert load(store, "uid,type,members\nstaff,group,bob\n").changed == ("staff",)
    assert load(store, "uid,type,name\nstaff,group,All staff\n").unchanged == 1


def test_what_goes_out_comes_in_again(store: Store, tmp_path_factory: pytest.TempPathFactory) -> None:
    load(store, TABLE)
    text = store.read_now(lambda txn: table.export(txn, passwords=True))
    assert text.splitlines()[0] == TABLE.splitlines()[0]
    assert load(store, text) == Imported((), (), 5)

    def remove_all(txn: Transaction) -> None:
        for each in txn.principals.list():
            txn.principals.remove(each.id)

    store.write_now(remove_all)
    assert len(load(store, text).created) == 5
    assert store.read_now(lambda txn: table.export(txn, passwords=True)) == text


def test_passwords_are_left_out_unless_asked_for(store: Store) -> None:
    load(store, TABLE)
    assert "argon2" not in store.read_now(table.export)
    assert "secret" not in repr(table.read(TABLE))


def test_every_row_that_is_wrong_is_told_with_its_line(store: Store) -> None:
    wrong = (
        "uid,name,email,type,admin,groups,guid\n"
        "ok,,,,,,\n"
        ",no uid,,,,,\n"
        "a b,,,,,,\n"
        'c,"two\nlines",,,maybe,,\n'
        "d,,,,,,,,\n"
    )
    assert problems(store, wrong) == [3, 4, 6, 7]
    assert problems(store, "uid,email,type,groups,guid\na,x,,,\nb,,robot,,\nc,,,,1\nd,,,nowhere,\ne,,,,\ne,,,,\n") == [
        2,
        3,
        4,
        5,
        7,
    ]
    assert problems(store, "uid,email\na,x@y\nb,X@Y\n") == [3]
    assert problems(store, "uid,type,members\na,user,b\nb,user,\n") == [2]
    assert problems(store, "uid,write_proxies\na,nobody\n") == [2]
    assert problems(store, "uid,auto_accept_group\na,nobody\n") == [2]
    assert problems(store, "uid,capacity\na,many\nb,-1\nc,2\n") == [2, 3]
    assert problems(store, "uid,capacity\na,0\nb,10001\nc,2\n") == [2, 3]


@pytest.mark.parametrize("text", ["", "\n", "name\nx\n", "uid,uid\n", "uid,size\n", 'uid\n"a\n'])
def test_a_table_without_a_sensible_header_is_refused(store: Store, text: str) -> None:
    assert problems(store, text)


def test_marks_blanks_and_short_rows_do_no_harm(store: Store) -> None:
    text = "\ufeff UID , Name ,email\r\nann , Ann Lee\r\n\r\nbob\r\n"
    assert load(store, text).created == ("ann", "bob")
