"""Whose a path is."""

import pytest

from calserver.cluster.paths import owner
from calserver.dav import Href


@pytest.mark.parametrize(
    ("path", "whose"),
    [
        ("calendars/user/ann/", ("user", "ann")),
        ("calendars/user/ann/Default/a.ics", ("user", "ann")),
        ("drive/user/a%20b", ("user", "a b")),
        ("calendars/location/room1/", ("location", "room1")),
        ("calendars/user/", None),
        ("calendars/", None),
        ("", None),
        ("principals/user/ann/", None),
        ("elsewhere/user/ann/", None),
    ],
)
def test_a_path_below_a_home_is_its_owners(path: str, whose: tuple[str, str] | None) -> None:
    assert owner(Href.parse(path), ("calendars", "drive")) == whose
