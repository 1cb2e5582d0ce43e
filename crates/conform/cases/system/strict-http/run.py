import socket
from conform import *

HOST = ("127.0.0.1", int(os.environ["ANYFN_PORT"]))


def raw(data):
    """Everything that comes back until the server closes."""
    with socket.create_connection(HOST, timeout=20) as s:
        try:
            s.sendall(data)
        except OSError:
            pass
        got = b""
        try:
            while chunk := s.recv(65536):
                got += chunk
        except ConnectionResetError:
            pass
        return got


HEAD = b"POST /2015-03-31/functions/x/invocations HTTP/1.1\r\nHost: x\r\n"
SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
bad = {
    "CL and TE": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two CLs": HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde" + SMUGGLED,
    "CL list": HEAD + b"Content-Length: 4, 5\r\n\r\nabcde" + SMUGGLED,
    "xchunked": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked, identity": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "space before colon": HEAD + b"Content-Length : 4\r\n\r\nabcd" + SMUGGLED,
    "bare LF": b"POST /x HTTP/1.1\nHost: x\nContent-Length: 0\n\n" + SMUGGLED,
    "obs-fold": HEAD + b"X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "chunk size overflow": HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "chunk size with sign": HEAD + b"Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "NUL in a header": HEAD + b"X-A: b\x00c\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
}
for name, data in bad.items():
    got = raw(data)
    match(got.split(b"\r\n", 1)[0].decode("latin1"), r"HTTP/1\.1 400 .*", name)
    same(got.count(b"HTTP/1.1 "), 1, f"{name}: one answer, then the end")
extension = raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;" + b"e" * (1 << 20) + b"\r\nabc\r\n0\r\n\r\n" + SMUGGLED)
same(extension.count(b"HTTP/1.1 200"), 0, "1 MB of chunk extensions")
for name, data, codes in (
    ("64 KB URL", b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\nHost: x\r\n\r\n", (b"414", b"431", b"400")),
    ("1 MB header", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * (1 << 20) + b"\r\n\r\n", (b"431", b"400")),
    ("33,000 headers", b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 33_000 + b"\r\n", (b"431", b"400")),
):
    got = raw(data)
    # Who closes before all was read may reset the connection, and the answer with it.
    same(got == b"" or got.split(b" ")[1] in codes, True, f"{name}: {got[:60]}")
same(http_call("GET", f"{ENDPOINT}/healthz").status, 200, "it serves on")
