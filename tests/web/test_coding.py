"""Content codings of requests and responses (RFC 9110 section 8.4)."""

import gzip
import zlib

import pytest

from calserver.dav import BadRequest, ContentTooLarge, UnsupportedMediaType
from calserver.web.coding import accepts_gzip, compressible, decode_content, gzip_at_once, gzip_pieces, pieces

TEXT = b"BEGIN:VCALENDAR\r\n" * 100


def raw_deflate(body):
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(body) + machine.flush()


@pytest.mark.parametrize(
    ("codings", "encode"),
    [
        ("", bytes),
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
    ],
)
def test_bodies_are_decoded(codings, encode):
    assert decode_content(encode(TEXT), codings, len(TEXT)) == TEXT


def test_several_members_of_gzip_are_one_body():
    assert decode_content(gzip.compress(b"a") + gzip.compress(b"b"), "gzip", 10) == b"ab"


@pytest.mark.parametrize("codings", ["br", "gzip, gzip", "compress", "aes128gcm"])
def test_other_codings_are_refused(codings):
    with pytest.raises(UnsupportedMediaType) as refused:
        decode_content(b"x", codings, 100)
    assert "gzip" in refused.value.headers["Accept-Encoding"]


@pytest.mark.parametrize("encode", [gzip.compress, zlib.compress])
def test_a_bomb_is_stopped_at_the_limit(encode):
    bomb = encode(bytes(50_000_000))
    with pytest.raises(ContentTooLarge):
        decode_content(bomb, "gzip" if encode is gzip.compress else "deflate", 1_000_000)


def test_a_body_of_very_many_members_is_refused():
    with pytest.raises(BadRequest):
        decode_content(gzip.compress(b"") * 1000, "gzip", 1000)


def test_a_bomb_of_many_members_is_stopped_too():
    with pytest.raises(ContentTooLarge):
        decode_content(gzip.compress(bytes(600)) * 3, "gzip", 1000)


@pytest.mark.parametrize("body", [b"plain", gzip.compress(TEXT)[:-9], gzip.compress(TEXT) + b"rest"])
def test_broken_data_are_refused(body):
    with pytest.raises(BadRequest):
        decode_content(body, "gzip", 10_000)


@pytest.mark.parametrize("field", ["gzip", "deflate, gzip;q=1.0", "*", "br, *;q=0.1", "x-gzip", "gzip; q=0.5"])
def test_clients_that_take_gzip(field):
    assert accepts_gzip(field)


@pytest.mark.parametrize("field", ["", "identity", "br", "gzip;q=0", "gzip; q=0.0, *", "*;q=0"])
def test_clients_that_do_not(field):
    assert not accepts_gzip(field)


@pytest.mark.parametrize("kind", ["text/calendar; charset=utf-8", "application/xml", "application/calendar+json"])
def test_types_worth_compressing(kind):
    assert compressible(kind)


@pytest.mark.parametrize("kind", ["image/png", "application/zip", ""])
def test_types_not_worth_compressing(kind):
    assert not compressible(kind)


def test_both_ways_to_compress_give_the_same_content():
    body = TEXT * 1000
    assert gzip.decompress(gzip_at_once(body)) == body
    assert gzip.decompress(b"".join(gzip_pieces(pieces(body)))) == body
