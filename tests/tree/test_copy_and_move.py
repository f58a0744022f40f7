"""COPY and MOVE against a model: trees of names and contents (RFC 4918 sections 9.8 and 9.9)."""

import copy
from typing import Any

from dialogue import Answer, Dialogue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calserver.names import D
from calserver.store import Transaction

HOMES = ("drive/user/ann/", "drive/user/bob/")


def property_of(who: Dialogue, path: str, name: str) -> Any:
    return who.propfind(path, name).properties("/dav/" + path)[name]


def resource_id(who: Dialogue, path: str) -> str:
    return str(property_of(who, path, D("resource-id")).findtext(D("href")))


def set_property(who: Dialogue, path: str, text: str) -> Answer:
    prop = f'<D:prop><x xmlns="urn:x">{text}</x></D:prop>'
    return who("PROPPATCH", path, f'<D:propertyupdate xmlns:D="DAV:"><D:set>{prop}</D:set></D:propertyupdate>')


# -- single rules --------------------------------------------------------------------------------------------------


def test_a_moved_resource_keeps_its_id_and_a_copy_gets_one(ann: Dialogue) -> None:
    """RFC 5842 section 3.1."""
    home = HOMES[0]
    ann("MKCOL", home + "f/")
    ann("PUT", home + "f/a", b"x")
    before = [resource_id(ann, home + path) for path in ("f/", "f/a")]
    assert all(each.startswith("urn:uuid:") for each in before)
    ann("COPY", home + "f/", destination=ann.destination(home + "c/"))
    assert not {resource_id(ann, home + path) for path in ("c/", "c/a")} & set(before)
    ann("MOVE", home + "f/", destination=ann.destination(home + "m/"))
    assert [resource_id(ann, home + path) for path in ("m/", "m/a")] == before
    ann("MOVE", home + "m/a", destination=ann.destination(home + "a"))
    assert resource_id(ann, home + "a") == before[1]


def test_properties_go_with_copies_and_moves(ann: Dialogue) -> None:
    """RFC 4918 sections 9.8.2 and 9.9.1."""
    home = HOMES[0]
    ann("MKCOL", home + "f/")
    ann("PUT", home + "f/a", b"x")
    for path in ("f/", "f/a"):
        assert set_property(ann, home + path, path).status == 207
    ann("COPY", home + "f/", destination=ann.destination(home + "c/"))
    ann("MOVE", home + "f/", destination=ann.destination(home + "m/"))
    for place in ("c/", "m/"):
        assert property_of(ann, home + place, "{urn:x}x").text == "f/"
        assert property_of(ann, home + place + "a", "{urn:x}x").text == "f/a"


def test_a_shallow_copy_of_a_collection_is_empty(ann: Dialogue) -> None:
    """RFC 4918 section 9.8.3."""
    home = HOMES[0]
    ann("MKCOL", home + "f/")
    ann("PUT", home + "f/a", b"x")
    set_property(ann, home + "f/", "kept")
    assert ann("COPY", home + "f/", destination=ann.destination(home + "c/"), depth="0").status == 201
    assert property_of(ann, home + "c/", "{urn:x}x").text == "kept"
    assert ann("GET", home + "c/a").status == 404


def test_what_is_replaced_leaves_nothing_behind(ann: Dialogue) -> None:
    """RFC 4918 section 9.8.4: as if the destination had been deleted first."""
    home = HOMES[0]
    for path in ("f/", "g/"):
        ann("MKCOL", home + path)
        ann("PUT", home + path + path[0], b"x")
    set_property(ann, home + "g/", "old")
    assert ann("COPY", home + "f/", destination=ann.destination(home + "g/")).status == 204
    assert [ann("GET", home + path).status for path in ("g/f", "g/g")] == [200, 404]
    assert "{urn:x}x" not in ann.propfind(home + "g/", "{urn:x}x").properties("/dav/" + home + "g/")
    ann("PUT", home + "a", b"file")
    assert ann("MOVE", home + "a", destination=ann.destination(home + "g/")).status == 204
    assert ann("GET", home + "g").body == b"file"
    assert ann("MOVE", home + "f/", destination=ann.destination(home + "g")).status == 204
    assert ann("GET", home + "g/f").body == b"x"


def test_overwrite_f_and_missing_parents_change_nothing(ann: Dialogue) -> None:
    """RFC 4918 sections 9.8.5 and 10.6."""
    home = HOMES[0]
    for name in "ab":
        ann("PUT", home + name, name.encode())
    for method in ("COPY", "MOVE"):
        assert ann(method, home + "a", destination=ann.destination(home + "b"), overwrite="F").status == 412
        assert ann(method, home + "a", destination=ann.destination(home + "no/x")).status == 409
        assert ann(method, home + "a", destination=ann.destination(home + "a")).status == 403
        assert ann(method, home + "a", destination=ann.destination(home + "b/x")).status == 409
    assert [ann("GET", home + name).body for name in "ab"] == [b"a", b"b"]


def test_locks_neither_move_nor_stay(ann: Dialogue) -> None:
    """RFC 4918 section 7.7."""
    home = HOMES[0]
    scope = "<D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>"
    body = f'<D:lockinfo xmlns:D="DAV:">{scope}</D:lockinfo>'
    ann("MKCOL", home + "f/")
    ann("PUT", home + "f/a", b"x")
    token = ann("LOCK", home + "f/", body).headers["lock-token"]
    tagged = f"<{ann.destination(home + 'f/')}> ({token})"
    to = ann.destination(home + "g/")
    assert ann("MOVE", home + "f/", destination=to).status == 423
    assert ann("MOVE", home + "f/", headers={"If": tagged, "Destination": to}).status == 201
    assert ann("PUT", home + "g/a", b"y").status == 204
    assert ann("MKCOL", home + "f/").status == 201
    assert ann("PUT", home + "f/a", b"y").status == 201
    assert ann.store.read_now(lambda txn: txn.locks.below("")) == []


def test_what_may_not_be_somewhere_cannot_get_there(ann: Dialogue) -> None:
    """The collection that it would be in decides, at any depth."""
    shelf = "shelves/user/ann/"
    assert ann("MOVE", shelf + "Book/", destination=ann.destination(HOMES[0] + "Book/")).status == 403
    assert ann("COPY", shelf + "Book/", destination=ann.destination(HOMES[0] + "Book/")).status == 403
    for method in ("COPY", "MOVE"):
        ann("MKCOL", HOMES[0] + "f/")
        assert ann(method, HOMES[0] + "f/", destination=ann.destination(shelf + "Book/f/")).status == 405
        assert ann(method, HOMES[0] + "f/", destination=ann.destination(shelf + method)).status == 201
    assert ann("GET", shelf + "Book/").status == 200


def test_a_collection_brings_nothing_that_may_not_be_where_it_goes(ann: Dialogue) -> None:
    def hide_a_book(txn: Transaction) -> None:
        home = txn.collections.locate("user", "ann", "calendar-home", [])[0]
        outer = txn.collections.add(home.id, "outer", "plain")
        txn.collections.add(outer.id, "inner", "calendar")

    ann.store.write_now(hide_a_book)
    for method in ("COPY", "MOVE"):
        refused = ann(method, "shelves/user/ann/outer/", destination=ann.destination(HOMES[0] + "outer/"))
        assert refused.status == 403, method
    assert ann("GET", HOMES[0] + "outer/").status == 404
    assert ann("GET", "shelves/user/ann/outer/inner/").status == 200


# -- against a model -----------------------------------------------------------------------------------------------

Tree = dict[str, Any]
"""A collection: names to contents (bytes) or trees."""

names = st.sampled_from(["a", "b", "c"])
paths = st.tuples(st.sampled_from(HOMES), st.lists(names, min_size=1, max_size=3))
steps = st.one_of(
    st.tuples(st.just("PUT"), paths, st.binary(max_size=3)),
    st.tuples(st.just("MKCOL"), paths, st.none()),
    st.tuples(st.just("DELETE"), paths, st.none()),
    st.tuples(st.sampled_from(["COPY", "MOVE"]), paths, st.tuples(paths, st.booleans())),
)


class Model:
    """What the trees should be."""

    def __init__(self) -> None:
        self.homes: dict[str, Tree] = {home: {} for home in HOMES}

    def parent(self, path: tuple[str, list[str]]) -> Tree | None:
        at: Any = self.homes[path[0]]
        for name in path[1][:-1]:
            at = at.get(name) if isinstance(at, dict) else None
        return at if isinstance(at, dict) else None

    def apply(self, method: str, path: tuple[str, list[str]], more: Any) -> int:
        """Do a step; returns its status."""
        parent, name = self.parent(path), path[1][-1]
        if method == "PUT":
            if parent is None:
                return 409
            if isinstance(parent.get(name), dict):
                return 405
            status = 204 if name in parent else 201
            parent[name] = more
            return status
        if method == "MKCOL":
            if parent is not None and name in parent:
                return 405
            if parent is None:
                return 409
            parent[name] = {}
            return 201
        if parent is None or name not in parent:
            return 404
        if method == "DELETE":
            del parent[name]
            return 204
        return self.transfer(method, path, *more)

    def transfer(self, method: str, path: tuple[str, list[str]], to: tuple[str, list[str]], overwrite: bool) -> int:
        shorter = min(len(path[1]), len(to[1]))
        if path[0] == to[0] and path[1][:shorter] == to[1][:shorter]:
            return 403
        source, target = self.parent(path), self.parent(to)
        assert source is not None
        if target is None:
            return 409
        there = to[1][-1] in target
        if there and not overwrite:
            return 412
        what = source[path[1][-1]]
        if method == "MOVE":
            del source[path[1][-1]]
        target[to[1][-1]] = copy.deepcopy(what)
        return 204 if there else 201


def tree_of(txn: Transaction, collection: int) -> Tree:
    tree: Tree = {each.name: txn.objects.text(each.id) for each in txn.objects.in_collection(collection)}
    return tree | {each.name: tree_of(txn, each.id) for each in txn.collections.children(collection)}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, max_size=25))
def test_trees_are_what_the_model_says(root: Dialogue, done: list[Any]) -> None:
    model = Model()
    for home in HOMES:
        for name in "abc":
            root("DELETE", home + name)
    for method, path, more in done:
        headers = {}
        if method in ("COPY", "MOVE"):
            (home, names), overwrite = more
            headers = {"Destination": root.destination(home + "/".join(names)), "Overwrite": "FT"[overwrite]}
        body = more if method == "PUT" else b""
        answer = root(method, path[0] + "/".join(path[1]), body, headers)
        assert answer.status == model.apply(method, path, more), (method, path, more)
    for home in HOMES:
        uid = home.split("/")[2]
        stored, used = root.store.read_now(
            lambda txn, uid=uid: (
                tree_of(txn, txn.collections.locate("user", uid, "drive-home", [])[0].id),
                txn.collections.locate("user", uid, "drive-home", [])[0].quota_used_bytes,
            )
        )
        assert stored == model.homes[home]
        assert used == size_of(stored)


def size_of(tree: Tree) -> int:
    return sum(size_of(each) if isinstance(each, dict) else len(each) for each in tree.values())
