"""A client of HTTP/2 that does what libraries do not let one do."""

import socket
import ssl
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, SETTINGS, PING, GOAWAY = 0x1, 0x4, 0x6, 0x7
# Of a type that nobody knows: RFC 9113 has it ignored.
UNKNOWN = 0xfa
ENHANCE_YOUR_CALM = 0xb


def frame(kind, payload=b"", flags=0, stream=0):
    return (struct.pack(">I", len(payload))[1:] + bytes([kind, flags])
            + struct.pack(">I", stream) + payload)


def request(path, stream):
    """The headers of a call that says nothing else."""
    block = b""
    for name, value in ((":method", "POST"), (":scheme", "https"),
                        (":path", path), (":authority", "localhost"),
                        ("content-type", "application/grpc"),
                        ("te", "trailers")):
        # A literal that is not indexed: RFC 7541, section 6.2.2.
        block += (b"\x00" + bytes([len(name)]) + name.encode()
                  + bytes([len(value)]) + value.encode())
    return frame(HEADERS, block, flags=0x5, stream=stream)


def connect(port, ca, cert=None, key=None, source="127.0.0.1", before=b"",
            receive_buffer=None, timeout=10):
    """A connection after the TLS handshake; `before` goes before it."""
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(["h2"])
    if cert:
        context.load_cert_chain(cert, key)
    raw = socket.socket()
    raw.settimeout(timeout)
    if receive_buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        raw.bind((source, 0))
        raw.connect(("127.0.0.1", port))
        raw.sendall(before)
        return context.wrap_socket(raw, server_hostname="localhost")
    except BaseException:
        raw.close()
        raise


def begin(connection):
    connection.sendall(PREFACE + frame(SETTINGS))


def frames(connection):
    """(type, payload) of each frame until the other side ends."""
    pending = b""
    while True:
        while len(pending) >= 9:
            size = int.from_bytes(pending[:3], "big")
            if len(pending) < 9 + size:
                break
            yield pending[3], pending[9:9 + size]
            pending = pending[9 + size:]
        more = connection.recv(65536)
        if not more:
            return
        pending += more


def client_hello(name="localhost"):
    """The first bytes of a handshake."""
    out = ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname = False
    client = context.wrap_bio(ssl.MemoryBIO(), out,
                              server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return out.read()
    raise AssertionError("a handshake without a server")


def proxy_header(address, port):
    """Of version 2 of the PROXY protocol: a connection from there."""
    return (b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"
            + socket.inet_aton(address) + socket.inet_aton("198.51.100.1")
            + struct.pack(">HH", port, 443))
