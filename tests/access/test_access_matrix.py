"""Every method on every kind of resource, by everybody, as the table says (RFC 3744 appendix B)."""

import matrix
import pytest
from matrix import LOGIN, NO, NONE, PARTS, RESOURCES, YES

Table = dict[str, dict[str, dict[str, str]]]
"""By resource and line, the outcome for each part."""


def by_resource(rows: list[tuple[str, str, dict[str, str]]]) -> Table:
    found: Table = {}
    for resource, line, outcomes in rows:
        found.setdefault(resource, {})[line] = outcomes
    return found


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return by_resource(matrix.measured(tmp_path_factory.mktemp("matrix")))


@pytest.fixture(scope="module")
def table() -> Table:
    return by_resource(list(matrix.read()))


@pytest.mark.parametrize("resource", RESOURCES)
def test_the_server_does_what_the_table_says(measured: Table, table: Table, resource: str) -> None:
    expected = table[resource]
    assert {line: found for line, found in measured[resource].items() if line in expected} == expected


@pytest.mark.parametrize("resource", RESOURCES)
def test_what_is_left_out_nobody_can_do(measured: Table, table: Table, resource: str) -> None:
    for line, found in measured[resource].items():
        if line not in table[resource]:
            assert YES not in found.values(), line


def test_the_table_has_every_kind_of_resource_and_every_part(table: Table) -> None:
    assert list(table) == list(RESOURCES)
    assert all(tuple(found) == PARTS for lines in table.values() for found in lines.values())


def test_the_table_is_shown_in_the_documents() -> None:
    """Run matrix.py to write both."""
    page = matrix.PAGE.read_text(encoding="utf-8")
    assert page == matrix.shown(matrix.TABLE.read_text(encoding="utf-8"))
    assert matrix.TABLE.read_text(encoding="utf-8") in page


# -- what any such table must say --------------------------------------------------------------------------------------


def cells(table: Table) -> list[tuple[str, str, dict[str, str]]]:
    return [(resource, line, found) for resource, lines in table.items() for line, found in lines.items()]


def test_nobody_in_particular_only_looks_at_what_is_public(table: Table) -> None:
    for resource, line, found in cells(table):
        public = "public" in resource and "event" not in resource and line in ("GET", "HEAD")
        assert found["nobody"] == (YES if public else LOGIN), (resource, line)


def test_what_is_public_gives_nobody_who_has_logged_in_more(table: Table) -> None:
    for resource in ("public calendar", "calendar that tells the public when it is busy"):
        for line, found in table[resource].items():
            if line not in ("GET", "HEAD"):
                assert found["stranger"] == table["calendar"].get(line, found)["stranger"], (resource, line)


def test_administrators_can_do_what_owners_can(table: Table) -> None:
    for resource, line, found in cells(table):
        if found["owner"] == YES:
            assert found["administrator"] == YES, (resource, line)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ("stranger", "reader"),
        ("stranger", "member"),
        ("reader", "writer"),
        ("read delegate", "write delegate"),
        ("write delegate", "administrator"),
        ("writer", "administrator"),
    ],
)
def test_who_has_more_rights_can_do_as_much(table: Table, less: str, more: str) -> None:
    for resource, line, found in cells(table):
        if found[less] == YES:
            assert found[more] == YES, (resource, line)


def test_members_of_groups_can_do_what_their_group_can(table: Table) -> None:
    for resource, line, found in cells(table):
        assert found["member"] == found["reader"], (resource, line)


def test_what_there_is_not_looks_like_what_is_hidden(table: Table) -> None:
    """Who may not look into a home sees no difference between what is there and what is not."""
    for there, not_there in (
        ("event in it", "no event in it"),
        ("calendar home", "calendar home of nobody"),
        ("event in a calendar with a list", "no event in a calendar with a list"),
        ("file in a folder with a list", "no file in a folder with a list"),
        ("event in a public calendar", "no event in a public calendar"),
    ):
        for line in set(table[there]) & set(table[not_there]):
            assert table[there][line]["stranger"] == table[not_there][line]["stranger"], (there, line)
    hidden, missing = table["file in it that is denied to reader and member"], table["no file in a folder with a list"]
    for line in set(hidden) & set(missing):
        assert hidden[line]["reader"] == missing[line]["reader"], line


def test_readers_change_nothing(table: Table) -> None:
    reading = {"OPTIONS", "GET", "HEAD", "PROPFIND", "COPY from there"}
    for resource, line, found in cells(table):
        if line not in reading and not line.startswith("REPORT"):
            assert found["read delegate"] in (NO, NONE, "-"), (resource, line)
            assert found["reader"] in (NO, NONE, "-"), (resource, line)
