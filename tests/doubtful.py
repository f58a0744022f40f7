"""Messages of HTTP/1.1 that another server might read in another way (RFC 9112 section 11)."""

from collections.abc import Mapping
from typing import Final


def messages(path: str, second: bytes) -> Mapping[str, bytes]:
    """By what is doubtful of each: a request for a path, and behind it the request that is to be smuggled in."""
    return {name: message.replace(b"PATH", path.encode()) + second for name, message in _MESSAGES.items()}


_MESSAGES: Final = {
    "content-length and transfer-encoding": b"POST PATH HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding and content-length": b"POST PATH HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST PATH HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\n",
    "two equal lengths": b"POST PATH HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "a list of lengths": b"POST PATH HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx",
    "a signed length": b"POST PATH HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
    "a negative length": b"POST PATH HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nx",
    "a length in hex": b"POST PATH HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\nx",
    "a length with a blank inside": b"POST PATH HTTP/1.1\r\nHost: a\r\nContent-Length: 1 0\r\n\r\nx",
    "an empty length": b"POST PATH HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
    "identity": b"POST PATH HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
    "identity and a length": b"POST PATH HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n"
    b"Content-Length: 0\r\n\r\n",
    "another coding": b"POST PATH HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
    "two codings": b"POST PATH HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"POST PATH HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked, then identity": b"POST PATH HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
    b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked with a vertical tab": b"POST PATH HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"POST PATH HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a blank before the colon": b"POST PATH HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\n",
    "a blank before the coding's colon": b"POST PATH HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
    "a chunk size with a prefix": b"POST PATH HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n"
    b"0\r\n\r\n",
    "a signed chunk size": b"POST PATH HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n",
    "a chunk without its end": b"POST PATH HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz0\r\n\r\n",
    "a line feed in a chunk extension": b"POST PATH HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"1;a\nb\r\nx\r\n0\r\n\r\n",
    "no host": b"GET PATH HTTP/1.1\r\n\r\n",
    "two hosts": b"GET PATH HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "two equal hosts": b"GET PATH HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "two equal hosts in HTTP/1.0": b"GET PATH HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
    "a host that is none": b"GET PATH HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "an empty host": b"GET PATH HTTP/1.1\r\nHost:\r\n\r\n",
    "bare line feeds": b"GET PATH HTTP/1.1\nHost: a\n\n",
    "one bare line feed": b"GET PATH HTTP/1.1\r\nHost: a\nX-Y: z\r\n\r\n",
    "a bare carriage return": b"GET PATH HTTP/1.1\r\nHost: a\rX-Y: z\r\n\r\n",
    "a NUL in a field": b"GET PATH HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
    "a field without a colon": b"GET PATH HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
    "a field without a name": b"GET PATH HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
    "a field name with a blank": b"GET PATH HTTP/1.1\r\nHost: a\r\nX Y: x\r\n\r\n",
    "a folded line first": b"GET PATH HTTP/1.1\r\n Host: a\r\n\r\n",
    "a request line of two words": b"GET PATH\r\nHost: a\r\n\r\n",
    "a request line of four words": b"GET PATH x HTTP/1.1\r\nHost: a\r\n\r\n",
    "another version": b"GET PATH HTTP/2.0\r\nHost: a\r\n\r\n",
    "a version in lower case": b"GET PATH http/1.1\r\nHost: a\r\n\r\n",
    "a method that is no token": b"GE(T PATH HTTP/1.1\r\nHost: a\r\n\r\n",
    "an authority as target": b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
    "another scheme": b"GET ftp://aPATH HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target without a slash": b"GET echo HTTP/1.1\r\nHost: a\r\n\r\n",
    "a fragment": b"GET PATH#x HTTP/1.1\r\nHost: a\r\n\r\n",
    "a broken escape": b"GET PATH%6 HTTP/1.1\r\nHost: a\r\n\r\n",
    "bytes that are not ASCII": b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
    "an asterisk for GET": b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}
