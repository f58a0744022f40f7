"""Clients behind reverse proxies (RFC 7239)."""

from ipaddress import ip_address, ip_network

import pytest

from calserver.web.forwarded import Client, client, is_host, parse_address, parse_forwarded

PROXY = ip_address("10.0.0.1")
STRANGER = ip_address("198.51.100.7")
TRUSTED = (ip_network("10.0.0.0/8"),)


def behind(peer, **fields):
    return client(peer, secure=False, host="inner:8008", trusted=TRUSTED, **fields)


def test_a_client_without_proxy_is_its_peer():
    assert behind(STRANGER) == Client(STRANGER, False, "inner:8008")


@pytest.mark.parametrize(
    "fields",
    [
        {"forwarded": "for=192.0.2.1;proto=https;host=cal.example.org"},
        {"x_for": "192.0.2.1", "x_proto": "https", "x_host": "cal.example.org"},
    ],
)
def test_a_stranger_is_not_believed(fields):
    assert behind(STRANGER, **fields) == Client(STRANGER, False, "inner:8008")


@pytest.mark.parametrize(
    "fields",
    [
        {"forwarded": "for=192.0.2.1;proto=https;host=cal.example.org"},
        {"forwarded": 'For="192.0.2.1:4711"; Proto=HTTPS; Host="cal.example.org"'},
        {"x_for": "192.0.2.1", "x_proto": "https", "x_host": "cal.example.org"},
    ],
)
def test_a_trusted_proxy_is_believed(fields):
    assert behind(PROXY, **fields) == Client(ip_address("192.0.2.1"), True, "cal.example.org", trusted=True)


def test_what_the_client_itself_wrote_is_not_believed():
    """It stands left of what the proxies added (RFC 7239 section 5.2)."""
    fields = {"forwarded": "for=127.0.0.1;proto=https;host=evil.example, for=192.0.2.1;proto=http"}
    assert behind(PROXY, **fields) == Client(ip_address("192.0.2.1"), False, "inner:8008", trusted=True)
    assert behind(PROXY, x_for="127.0.0.1, 192.0.2.1").address == ip_address("192.0.2.1")


def test_a_chain_of_trusted_proxies_is_followed():
    found = behind(PROXY, forwarded="for=192.0.2.1;proto=https;host=a.example, for=10.0.0.2;proto=http")
    assert found == Client(ip_address("192.0.2.1"), True, "a.example", trusted=True)
    found = behind(PROXY, x_for="192.0.2.1, 10.0.0.2", x_proto="https, http")
    assert (found.address, found.secure) == (ip_address("192.0.2.1"), True)


def test_an_obfuscated_client_keeps_the_address_of_the_proxy_before_it():
    assert behind(PROXY, forwarded="for=_hidden;proto=https").address == PROXY


def test_a_malformed_field_is_passed_over():
    found = behind(PROXY, forwarded='for="unclosed', x_for="192.0.2.1")
    assert found.address == ip_address("192.0.2.1")
    assert behind(PROXY, x_for="<script>", x_host="a b", x_proto="gopher") == Client(
        PROXY, False, "inner:8008", trusted=True
    )


def test_a_scheme_alone_is_believed_too():
    assert behind(PROXY, x_proto="https").secure


def test_unix_sockets_are_believed_if_any_proxy_is():
    assert client(None, secure=False, host="", trusted=TRUSTED, x_for="192.0.2.1").address == ip_address("192.0.2.1")
    assert client(None, secure=False, host="", trusted=(), x_for="192.0.2.1").address is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:80", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_addresses_in_all_spellings(text, address):
    assert parse_address(text) == ip_address(address)


@pytest.mark.parametrize("text", ["", "unknown", "_x", "1.2.3", "1.2.3.4.5", "["])
def test_what_is_no_address(text):
    assert parse_address(text) is None


@pytest.mark.parametrize("text", ["a", "a.example", "a.example:80", "192.0.2.1:8008", "[::1]", "[::1]:8008", "x_y"])
def test_hosts(text):
    assert is_host(text)


@pytest.mark.parametrize("text", ["", "a b", "a/b", "a@b", "a:b", "a:123456", "a\\b", "a.example:80:80", "<a>", "[a"])
def test_what_is_no_host(text):
    assert not is_host(text)


def test_forwarded_with_quoted_pairs():
    assert parse_forwarded(r'for="a\"b";by=c, proto=https') == [{"for": 'a"b', "by": "c"}, {"proto": "https"}]
    assert parse_forwarded("for=a b") is None
