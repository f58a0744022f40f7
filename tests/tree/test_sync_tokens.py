"""Sync tokens and what changed since one (RFC 6578), over the real store."""

import contextlib

import pytest
from dialogue import Answer, Dialogue
from hypothesis import given
from hypothesis import strategies as st

from calserver.dav import ValidSyncToken
from calserver.names import CS, D
from calserver.tree import Token

HOME = "drive/user/ann/"
PATH = "/dav/" + HOME


def sync(
    who: Dialogue, path: str, token: str = "", *, level: str = "1", limit: int | None = None, prop: str = "getetag"
) -> Answer:
    limited = f"<D:limit><D:nresults>{limit}</D:nresults></D:limit>" if limit else ""
    return who(
        "REPORT",
        path,
        f'<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token><D:sync-level>{level}</D:sync-level>'
        f"{limited}<D:prop><D:{prop}/></D:prop></D:sync-collection>",
    )


def token_of(answer: Answer) -> str:
    token = answer.xml.findtext(D("sync-token"))
    assert token is not None
    return str(token)


def told(answer: Answer) -> dict[str, int]:
    """What an answer tells of members: names to 200 or 404; the collection itself is left out."""
    statuses = answer.statuses
    return {
        href.removeprefix(PATH): statuses.get(href, 200)
        for href in answer.hrefs
        if href != PATH and statuses.get(href) != 507
    }


@pytest.fixture
def files(ann: Dialogue) -> Dialogue:
    for name in ("a", "b"):
        ann("PUT", HOME + name, b"1")
    ann("MKCOL", HOME + "f")
    ann("PUT", HOME + "f/x", b"1")
    return ann


def test_the_first_report_tells_all_members(files: Dialogue) -> None:
    assert told(sync(files, HOME)) == {"a": 200, "b": 200, "f/": 200}
    assert told(sync(files, HOME, level="infinite")) == {"a": 200, "b": 200, "f/": 200, "f/x": 200}


def test_the_token_of_a_report_is_the_property(files: Dialogue) -> None:
    """RFC 6578 section 4."""
    token = token_of(sync(files, HOME))
    found = files.propfind(HOME, D("sync-token"), CS("getctag")).properties(PATH)
    assert found[D("sync-token")].text == token
    assert told(sync(files, HOME, token)) == {}


def test_what_changes_is_told_and_nothing_else(files: Dialogue) -> None:
    token = token_of(sync(files, HOME))
    files("PUT", HOME + "a", b"2")
    files("DELETE", HOME + "b")
    files("PUT", HOME + "c", b"1")
    assert told(sync(files, HOME, token)) == {"a": 200, "b": 404, "c": 200}
    files("PUT", HOME + "b", b"new")
    assert told(sync(files, HOME, token)) == {"a": 200, "b": 200, "c": 200}


def test_the_ctag_follows_what_is_below(files: Dialogue) -> None:
    def ctags() -> list[str]:
        paths = (HOME, HOME + "f/")
        return [files.propfind(p, CS("getctag")).properties("/dav/" + p)[CS("getctag")].text for p in paths]

    before = ctags()
    files("PUT", HOME + "f/x", b"2")
    assert all(old != new for old, new in zip(before, ctags(), strict=True))
    before = ctags()
    files("GET", HOME + "f/x")
    assert ctags() == before
    files("PUT", HOME + "a", b"2")
    after = ctags()
    assert (after[0] != before[0], after[1]) == (True, before[1])


def test_a_change_below_changes_the_collections_on_the_way(files: Dialogue) -> None:
    token = token_of(sync(files, HOME))
    files("PUT", HOME + "f/x", b"2")
    assert told(sync(files, HOME, token)) == {"f/": 200}
    assert told(sync(files, HOME, token, level="infinite")) == {"f/": 200, "f/x": 200}
    files("DELETE", HOME + "f/x")
    assert told(sync(files, HOME, token, level="infinite")) == {"f/": 200, "f/x": 404}


def test_a_collection_that_is_removed_is_told_as_one(files: Dialogue) -> None:
    token = token_of(sync(files, HOME, level="infinite"))
    files("DELETE", HOME + "f/")
    assert told(sync(files, HOME, token, level="infinite")) == {"f/": 404}


def test_a_collection_made_anew_ends_tokens_that_know_the_old_one(files: Dialogue) -> None:
    """Nothing tells any more what was in the old one, so an older token would leave members with its client."""
    token = token_of(sync(files, HOME, level="infinite"))
    files("DELETE", HOME + "f/")
    between = token_of(sync(files, HOME, level="infinite"))
    files("MKCOL", HOME + "f/")
    assert told(sync(files, HOME, between, level="infinite")) == {"f/": 200}
    assert sync(files, HOME, token, level="infinite").error == D("valid-sync-token")


def test_a_move_is_a_removal_and_a_new_member(files: Dialogue) -> None:
    token = token_of(sync(files, HOME))
    files("MOVE", HOME + "a", destination=files.destination(HOME + "z"))
    assert told(sync(files, HOME, token)) == {"a": 404, "z": 200}
    token = token_of(sync(files, HOME))
    files("MOVE", HOME + "f", destination=files.destination(HOME + "g"))
    assert told(sync(files, HOME, token, level="infinite")) == {"f/": 404, "g/": 200, "g/x": 200}


@pytest.mark.parametrize("level", ["1", "infinite"])
@pytest.mark.parametrize("prop", ["getetag", "creationdate"])
def test_a_first_report_says_into_what_it_does_not_go(ann: Dialogue, level: str, prop: str) -> None:
    """RFC 6578 section 3.3: that collection is to be synchronized by itself."""
    home, files = "/dav/shelves/user/ann/", "/dav/shelves/user/ann/Files/"
    ann("PUT", "shelves/user/ann/Files/a", b"1")
    first = sync(ann, "shelves/user/ann/", level=level, prop=prop)
    assert first.hrefs.count(files) == 2
    assert first.statuses == {files: 403}
    assert b"<D:error><D:sync-traversal-supported/></D:error>" in first.body
    assert files + "a" not in first.hrefs
    ann("PUT", "shelves/user/ann/Files/b", b"1")
    second = sync(ann, "shelves/user/ann/", token_of(first), level=level, prop=prop)
    assert (second.hrefs, second.statuses) == ([files], {})
    own = sync(ann, "shelves/user/ann/Files/", level=level, prop=prop)
    assert own.hrefs == [files, files + "a", files + "b"]
    assert home not in own.hrefs


def test_properties_that_a_client_sets_are_changes(files: Dialogue) -> None:
    token = token_of(sync(files, HOME))
    body = '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x xmlns="urn:x">1</x></D:prop></D:set></D:propertyupdate>'
    for path in ("a", "f/"):
        assert files("PROPPATCH", HOME + path, body).status == 207
    assert told(sync(files, HOME, token)) == {"a": 200, "f/": 200}


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("level", ["1", "infinite"])
def test_answers_that_are_cut_short_tell_everything_in_the_end(files: Dialogue, limit: int, level: str) -> None:
    """RFC 6578 section 3.6."""
    if level == "infinite" and limit == 1:
        assert sync(files, HOME, level=level, limit=1).status in (207, 403)
        return
    token, seen, rounds = "", {}, 0
    while True:
        answer = sync(files, HOME, token, level=level, limit=limit)
        assert answer.status == 207
        part = told(answer)
        assert len(part) <= limit
        seen |= part
        token, rounds = token_of(answer), rounds + 1
        assert rounds < 20
        if 507 not in answer.statuses.values():
            break
    assert seen == told(sync(files, HOME, level=level))
    assert token == token_of(sync(files, HOME, level=level))


def test_one_change_that_is_more_than_the_limit_is_refused(files: Dialogue) -> None:
    """RFC 6578 section 3.7: a member of a collection changes both."""
    token = token_of(sync(files, HOME, level="infinite"))
    files("PUT", HOME + "f/x", b"2")
    refused = sync(files, HOME, token, level="infinite", limit=1)
    assert (refused.status, refused.error) == (403, D("number-of-matches-within-limits"))


def test_a_first_report_in_parts_goes_on_when_removals_are_forgotten(files: Dialogue) -> None:
    answer = sync(files, HOME, limit=1)
    files("DELETE", HOME + "b")
    files.store.write_now(lambda txn: txn.changes.purge_tombstones(txn.now))
    stale = sync(files, HOME, token_of(answer))
    assert (stale.status, stale.error) == (403, D("valid-sync-token"))
    answer = sync(files, HOME, limit=1)
    assert told(sync(files, HOME, token_of(answer))) == {"f/": 200}


@pytest.mark.parametrize("level", ["1", "infinite"])
def test_a_token_from_before_forgotten_removals_is_refused(files: Dialogue, level: str) -> None:
    """RFC 6578 section 3.2: never silently incomplete."""
    token = token_of(sync(files, HOME, level=level))
    files("DELETE", HOME + "b")
    later = token_of(sync(files, HOME, level=level))
    files.store.write_now(lambda txn: txn.changes.purge_tombstones(txn.now))
    assert sync(files, HOME, token, level=level).error == D("valid-sync-token")
    assert told(sync(files, HOME, later, level=level)) == {}


def test_a_deep_token_from_before_removals_below_were_forgotten_is_refused(files: Dialogue) -> None:
    token = token_of(sync(files, HOME, level="infinite"))
    files("DELETE", HOME + "f/x")
    files.store.write_now(lambda txn: txn.changes.purge_tombstones(txn.now))
    assert sync(files, HOME, token, level="infinite").error == D("valid-sync-token")


def test_tokens_of_others_and_of_the_future_are_refused(files: Dialogue) -> None:
    own, other = (token_of(sync(files, path)) for path in (HOME, HOME + "f/"))
    name, _, revision = own.rpartition("/")
    for wrong in (other, f"{name}/{int(revision) + 1}", f"{name}/1/{10**17}", "x", "data:,", "../" * 9, own + "0"):
        refused = sync(files, HOME, wrong)
        assert (refused.status, refused.error) == (403, D("valid-sync-token")), wrong


def test_a_token_goes_with_a_collection_that_moves_to_somebody_else(files: Dialogue, root: Dialogue) -> None:
    token = token_of(sync(files, HOME + "f/"))
    assert root("MOVE", HOME + "f", destination=root.destination("drive/user/bob/f")).status == 201
    after = sync(root, "drive/user/bob/f/", token)
    assert after.status == 207
    assert all(status == 200 for status in after.statuses.values())


@given(
    st.builds(
        Token,
        st.from_regex(r"[0-9A-Za-z-]{1,64}", fullmatch=True),
        st.integers(0, 10**17),
        st.none() | st.integers(0, 10**17),
    )
)
def test_tokens_are_read_as_they_were_written(token: Token) -> None:
    assert Token.parse(str(token)) == token


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading_of_tokens(text: str) -> None:
    for each in (text, "data:," + text):
        with contextlib.suppress(ValidSyncToken):
            assert str(Token.parse(each)) == each
