"""What the composition root makes of a configuration."""

from pathlib import Path

import pytest

from calserver.auth import SCHEMES
from calserver.config import Auth, Config, ConfigError
from calserver.dav import Extensions
from calserver.service import MOUNTS, SPOKEN, jobs, located


@pytest.mark.parametrize(
    ("endpoint", "found"),
    [
        ("tcp:8008:interface=127.0.0.1", "tcp:8008:interface=127.0.0.1"),
        ("unix:http.sock", "unix:/etc/cal/http.sock"),
        ("unix:/run/http.sock:mode=660", "unix:/run/http.sock:mode=660"),
        ("unix:address=http.sock", "unix:address=/etc/cal/http.sock"),
        ("ssl:443:privateKey=keys/a.pem:certKey=/b.pem", "ssl:443:privateKey=/etc/cal/keys/a.pem:certKey=/b.pem"),
        ("haproxy:unix:http.sock", "haproxy:unix:/etc/cal/http.sock"),
    ],
)
def test_relative_paths_of_endpoints_start_at_the_folder_of_the_configuration(endpoint, found):
    assert located(endpoint, Path("/etc/cal").joinpath) == found


def test_the_configuration_takes_the_schemes_that_there_are():
    assert Auth(schemes=tuple(SCHEMES)).schemes == tuple(SCHEMES)
    with pytest.raises(ConfigError, match=r"auth\.schemes: may hold basic"):
        Config.parse('[auth]\nschemes = ["basic", "magic"]')


def test_everything_is_spoken_once_and_served_once():
    assert len({each.title for each in SPOKEN}) == len(SPOKEN)
    assert len({each.name for each in MOUNTS}) == len(MOUNTS)


def test_the_dav_header_names_what_clients_look_for():
    """RFC 4918 section 10.1, RFC 4791 section 5.1."""
    assert {"1", "2", "3", "access-control", "calendar-access", "extended-mkcol"} <= set(Extensions(SPOKEN).features)


def test_housekeeping_has_a_name_each():
    names = [each.name for each in jobs(Config())]
    assert len(set(names)) == len(names)
    assert {"locks", "tombstones", "horizon"} <= set(names)
