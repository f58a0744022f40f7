"""The configuration: typed, strict, its sample file and its errors."""

from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import attrs
import pytest

from calserver.config import Auth, Cluster, Config, ConfigError, Ischedule, Node, Peer, Server, Store, sample

SAMPLE = Path(__file__).parents[2] / "conf" / "calserver.toml"


def test_an_empty_file_is_the_defaults():
    assert Config.parse("") == Config()


def test_values_are_read_with_their_types():
    config = Config.parse(
        """
        [server]
        listen = ["tcp:1", "unix:/tmp/x"]
        trusted_proxies = ["10.0.0.0/8", "::1/128"]
        grace_seconds = 3
        [calendars]
        min_date_time = 1950-01-01T00:00:00Z
        create_tasks = false
        """
    )
    assert config.server.listen == ("tcp:1", "unix:/tmp/x")
    assert config.server.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert config.server.grace_seconds == 3.0
    assert isinstance(config.server.grace_seconds, float)
    assert config.calendars.min_date_time == datetime(1950, 1, 1, tzinfo=UTC)
    assert config.calendars.create_tasks is False


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x", "not TOML"),
        ("server = 1", "server: must be a section"),
        ("[sever]", "sever: there is no such option (did you mean server?)"),
        ("[server]\nlisen = []", "server.lisen: there is no such option (did you mean listen?)"),
        ("source = 'x'", "source: there is no such option"),
        ("[server]\nlisten = 'tcp:1'", 'server.listen: must be a list, not "tcp:1"'),
        ("[server]\nlisten = ['tcp:1', 2]", "server.listen: must be text in quotes, not 2"),
        ("[server]\nlisten = []", "server.listen: must not be empty"),
        ("[server]\nhttp2 = 'no'", 'server.http2: must be true or false, not "no"'),
        ("[server]\nhttp2 = 1", "server.http2: must be true or false, not 1"),
        ("[server]\ntrusted_proxies = ['10.0.0.1/8']", "server.trusted_proxies: 10.0.0.1/8 has host bits set"),
        ("[server]\npublic_prefix = '/dav'", 'server.public_prefix: must begin and end with "/"'),
        ("[dav]\nlocks = '3'", 'dav.locks: must be a whole number, not "3"'),
        ("[dav]\nlocks = true", "dav.locks: must be a whole number, not true"),
        ("[dav]\nlocks = 0", "dav.locks: must be at least 1"),
        ("[store]\nbusy_timeout_seconds = '5'", 'store.busy_timeout_seconds: must be a number, not "5"'),
        ("[log]\nformat = 'xml'", "log.format: must be one of text, json"),
        ("[calendars]\nmax_date_time = 2000-01-01", "calendars.max_date_time: must be a time with its offset"),
        ("[auth]\nrealm = 'a\"b'", "auth.realm: must be plain ASCII"),
        ("[store]\nurl_file = '/nonexistent/url'", "store.url_file: "),
    ],
)
def test_what_is_wrong_is_refused_with_its_path(text, problem):
    with pytest.raises(ConfigError) as refused:
        Config.parse(text)
    assert any(line.startswith(problem) for line in refused.value.problems), refused.value.problems


def test_all_problems_are_reported_at_once():
    with pytest.raises(ConfigError) as refused:
        Config.parse("[server]\nlisen = 1\n[dav]\nlocks = ''\n[foo]")
    assert len(refused.value.problems) == 3


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"missing\.toml"):
        Config.load(tmp_path / "missing.toml")


def test_a_secret_comes_from_a_file_beside_the_configuration(tmp_path):
    (tmp_path / "url").write_text("postgresql+psycopg://cal:geheim@db/cal\n")
    (tmp_path / "calserver.toml").write_text('[store]\nurl_file = "url"\n')
    config = Config.load(tmp_path / "calserver.toml")
    assert config.store_url == "postgresql+psycopg://cal:geheim@db/cal"
    assert "geheim" not in config.show()


def test_the_password_alone_may_come_from_a_file(tmp_path):
    (tmp_path / "password").write_text("ge&heim ü\n")
    text = '[store]\nurl = "postgresql://cal@/cal?host=/run"\npassword_file = "password"\n'
    config = Config.parse(text, source=tmp_path / "calserver.toml")
    assert config.store_url == "postgresql://cal@/cal?host=/run&password=ge%26heim%20%C3%BC"
    assert config.shown_store_url == "postgresql://cal@/cal?host=/run&password=***"
    assert "heim" not in config.show()
    text = text.replace("?host=/run", "").replace("@/", "@db1,db2:5433/")
    assert Config.parse(text, source=tmp_path / "x").store_url.startswith("postgresql://cal@db1,db2:5433/cal?password=")
    with pytest.raises(ConfigError, match="only PostgreSQL"):
        Config.parse('[store]\npassword_file = "password"\n', source=tmp_path / "calserver.toml")


def test_a_relative_sqlite_path_starts_at_the_folder_of_the_file(tmp_path):
    (tmp_path / "calserver.toml").write_text("")
    config = Config.load(tmp_path / "calserver.toml")
    assert config.store_url == f"sqlite:///{tmp_path}/calserver.sqlite"
    assert attrs.evolve(config, store=Store(url="sqlite:////var/x")).store_url == "sqlite:////var/x"
    assert attrs.evolve(config, store=Store(url="sqlite:///:memory:")).store_url == "sqlite:///:memory:"


def test_what_is_shown_can_be_read_again():
    config = Config.parse(
        """
        [server]
        listen = ["tcp:8008"]
        trusted_proxies = ["192.0.2.0/24"]
        [auth]
        realm = "Kalender"
        plaintext_networks = ["::/0"]
        [calendars]
        max_date_time = 2050-01-01T00:00:00Z
        """
    )
    assert Config.parse(config.show()) == config


def test_the_sample_file_shows_every_option_at_its_default():
    assert SAMPLE.read_text() == sample()


def test_the_sample_file_without_its_comment_signs_is_the_defaults():
    lines = [line for line in sample().splitlines() if not line.startswith("# ")]
    example = Config(ischedule=Ischedule(peers={"partner.example": Peer()}), cluster=Cluster(nodes={"b1": Node()}))
    assert Config.parse("\n".join(line.removeprefix("#") for line in lines)) == example
    assert Config.parse(sample()) == Config()


def test_tables_of_sections_are_read_shown_and_refused_with_their_names():
    text = '[ischedule.peers."partner.example"]\nfree_busy = "types"\nunsigned_networks = ["10.0.0.0/8"]'
    config = Config.parse(text)
    assert config.ischedule.peers["partner.example"].free_busy == "types"
    assert Config.parse(config.show()) == config
    for wrong, problem in (
        ('free_busy = "sometimes"', 'peers."x.example".free_busy: must be one of'),
        ("free = 1", 'peers."x.example".free: there is no such option'),
        ("replies = 1", 'peers."x.example".replies: must be true or false'),
    ):
        with pytest.raises(ConfigError) as caught:
            Config.parse(f'[ischedule.peers."x.example"]\n{wrong}')
        assert problem in str(caught.value)
    with pytest.raises(ConfigError, match="is not the name of a domain"):
        Config.parse('[ischedule.peers."a/b"]')


def test_a_sample_with_changes_reads_as_the_changes():
    text = sample({"server.listen": ["tcp:1"], "calendars.domain": "example.com"})
    config = Config.parse(text)
    assert config.server == Server(listen=("tcp:1",))
    assert config.calendars.domain == "example.com"
    assert config.auth == Auth()


def test_a_sample_with_unknown_changes_is_refused():
    with pytest.raises(ConfigError, match=r"server\.port"):
        sample({"server.port": 1})


def test_the_settings_of_a_request_are_the_dav_section_and_the_calendars():
    config = Config.parse("[dav]\nlocks = 3\n[calendars]\nattendees = 7")
    assert config.settings.locks == 3
    assert config.settings.calendars.attendees == 7


def test_the_prefix_that_arrives_is_the_public_one_unless_it_is_set():
    assert Server().arriving_prefix == "/dav/"
    assert Server(inner_prefix="/servlet/dav/").arriving_prefix == "/servlet/dav/"
    assert Server(public_prefix="/").arriving_prefix == "/"


NODE = """\
[cluster]
node = "b1"
directory = "sqlite:///directory.sqlite"
[cluster.nodes.b1]
url = "https://b1.example.org:8443"
key = "x"
"""


def test_a_node_has_a_directory_of_its_own():
    config = Config.parse(NODE, source=Path("/etc/calserver/calserver.toml"))
    assert config.directory_url == "sqlite:////etc/calserver/directory.sqlite"
    alone = Config.parse("", source=Path("/etc/calserver/calserver.toml"))
    assert alone.directory_url == alone.store_url


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('node = "b1"', 'node = "b2"', "cluster.node: there is no"),
        ('directory = "sqlite:///directory.sqlite"', "", "cluster.directory: must not be empty"),
        ('key = "x"', "", "cluster.nodes.b1.key: must not be empty"),
        ("https://b1", "b1", "cluster.nodes.b1.url: must be http or https"),
        (":8443", ":8443/dav/", "cluster.nodes.b1.url: must be http or https"),
        ('key = "x"', 'key = "x"\nrole = "both"', "role: must be one of backend, frontend"),
    ],
)
def test_a_node_that_could_not_work_is_refused(old: str, new: str, problem: str):
    with pytest.raises(ConfigError, match=problem):
        Config.parse(NODE.replace(old, new))


def test_the_password_of_the_directory_is_not_shown():
    config = Config.parse(NODE.replace("sqlite:///directory.sqlite", "postgresql://calserver:secret@db/directory"))
    assert "secret" not in config.show()
    assert "postgresql://calserver:***@db/directory" in config.show()
