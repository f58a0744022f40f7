"""Which addresses and ports are connected to."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ischedule.guard import Guard

INTERNET = Guard()


INSIDE = """
    0.0.0.0 10.0.0.1 100.64.0.1 127.0.0.1 127.1.2.3 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1
    192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255
    :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::a00:1 64:ff9b:1::1 2002:a00:1:: 2002:7f00:1::1
    2001:0:a00:1:: 2001:db8::1 fc00::1 fd12::1 fe80::1 fec0::1 ff02::1 ::ffff:0:10.0.0.1
"""


@pytest.mark.parametrize("address", INSIDE.split())
def test_the_inside_is_closed(address: str) -> None:
    assert not INTERNET.permits(ip_address(address), 443)


@pytest.mark.parametrize("port", [0, 22, 25, 53, 110, 143, 465, 587, 993, 3306, 5432, 6379, 11211, 65536, -1])
def test_ports_of_other_services_are_closed(port: int) -> None:
    assert not INTERNET.permits(ip_address("1.1.1.1"), port)


@pytest.mark.parametrize("port", [80, 443, 1024, 8443, 65535])
def test_other_ports_are_open(port: int) -> None:
    assert INTERNET.permits(ip_address("1.1.1.1"), port)


def test_networks_are_opened_and_closed_by_policy() -> None:
    guard = Guard(allow=(ip_network("10.1.0.0/16"), ip_network("::1/128")), deny=(ip_network("10.1.2.0/24"),))
    assert guard.permits(ip_address("10.1.0.1"), 443)
    assert guard.permits(ip_address("10.1.0.1"), 22)
    assert guard.permits(ip_address("::1"), 443)
    assert guard.permits(ip_address("::ffff:10.1.0.1"), 443)
    assert not guard.permits(ip_address("10.2.0.1"), 443)
    assert not guard.permits(ip_address("10.1.2.3"), 443)
    assert not guard.permits(ip_address("::ffff:10.1.2.3"), 443)
    assert not guard.permits(ip_address("::ffff:127.0.0.1"), 443)
    assert not Guard(deny=(ip_network("1.1.1.0/24"),)).permits(ip_address("64:ff9b::101:101"), 443)


@given(st.ip_addresses(v=4))
def test_an_address_in_disguise_is_judged_like_itself(inner: IPv4Address) -> None:
    """RFC 4291 section 2.5.5.2, RFC 3056, RFC 6052."""
    plain = INTERNET.permits(inner, 443)
    number = int(inner)
    for disguised in (0xFFFF << 32 | number, 0x2002 << 112 | number << 80, 0x64FF9B << 96 | number):
        assert INTERNET.permits(IPv6Address(disguised), 443) == plain


@given(st.ip_addresses())
def test_what_python_calls_private_is_closed(address: IPv4Address | IPv6Address) -> None:
    if not address.is_global:
        assert not INTERNET.permits(address, 443)
