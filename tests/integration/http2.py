"""HTTP/2 frame by frame over TLS, for what no client library would send.

connect(), begin() and frames() are for a test that waits for what comes;
Connection sends what it is told and drops what comes back. Header blocks are
written without compression state of our own: literals only, unless a test
writes the bytes itself.
"""

import select
import socket
import ssl
import struct
import time

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
# Of a type that nobody knows: RFC 9113 has it ignored.
UNKNOWN = 0xfa
END_STREAM, END_HEADERS, ACK = 1, 4, 1
ENHANCE_YOUR_CALM = 0xb
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags=0, stream=0, payload=b""):
    return (struct.pack(">I", len(payload))[1:] + bytes([kind, flags])
            + struct.pack(">I", stream) + payload)


def split(data):
    """([(type, payload) of each whole frame], what is left)."""
    made = []
    at = 0
    while len(data) - at >= 9:
        end = at + 9 + int.from_bytes(data[at:at + 3], "big")
        if len(data) < end:
            break
        made.append((data[at + 3], data[at + 9:end]))
        at = end
    return made, data[at:]


def integer(value, prefix_bits, first=0):
    """RFC 7541, 5.1."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def literal(name, value, indexed=False):
    """A header field in plain letters; `indexed`: the peer shall keep it."""
    name, value = (v if isinstance(v, bytes) else v.encode()
                   for v in (name, value))
    return (bytes([0x40 if indexed else 0]) + integer(len(name), 7) + name
            + integer(len(value), 7) + value)


def request_headers(path, *more, authority="localhost"):
    fields = [(":method", "POST"), (":scheme", "https"), (":path", path),
              (":authority", authority), ("content-type", "application/grpc"),
              ("te", "trailers"), *more]
    return b"".join(literal(*field) for field in fields)


def request(path, stream):
    """The headers of a call that says nothing else."""
    return frame(HEADERS, END_STREAM | END_HEADERS, stream,
                 request_headers(path))


def message(data=b""):
    """A gRPC message that is not compressed."""
    return b"\0" + struct.pack(">I", len(data)) + data


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
    while more := connection.recv(65536):
        came, pending = split(pending + more)
        yield from came


class Connection:
    """Sends whatever it is told, and drops what comes back. One thread does
    both, for a TLS session is not to be shared."""

    def __init__(self, port, ca, cert=None, key=None, settings=b"", read=True,
                 acknowledge=True):
        self.socket = connect(port, ca, cert, key, timeout=60)
        self.socket.setblocking(False)
        self.reads = read
        self.sent = self.received = 0
        # The payloads of what came, by the kind of frame.
        self.frames = {}
        self.over = False
        self._rest = b""
        self.send(PREFACE + frame(SETTINGS, payload=settings)
                  + (frame(SETTINGS, ACK) if acknowledge else b""))

    def send(self, data, patience=1):
        """False: the peer has ended the connection, or takes nothing."""
        data = memoryview(data)
        while data and not self.over:
            self.pump()
            try:
                count = self.socket.send(data)
                data = data[count:]
                self.sent += count
            except ssl.SSLWantWriteError:
                wanted = [self.socket] if self.reads else []
                if not any(select.select(wanted, [self.socket], [], patience)):
                    return False
            except ssl.SSLWantReadError:
                select.select([self.socket], [], [], patience)
            except OSError:
                self.over = True
        return not self.over

    def pump(self):
        """Takes what has come; returns self."""
        while self.reads and not self.over:
            try:
                data = self.socket.recv(1 << 16)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError:
                data = b""
            if not data:
                self.over = True
            self.received += len(data)
            came, self._rest = split(self._rest + data)
            for kind, payload in came:
                self.frames.setdefault(kind, []).append(payload)
        return self

    def flood(self, make, seconds):
        """Sends what make() returns as fast as it is taken. Returns how often
        it was."""
        end = time.monotonic() + seconds
        count = 0
        while time.monotonic() < end and self.send(make()):
            count += 1
        return count

    def close(self):
        self.over = True
        self.socket.close()


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


def is_ended(connection):
    """Whether the other side ends it, before the patience of reading does."""
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True
