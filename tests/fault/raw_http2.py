"""HTTP/2 frame by frame over TLS, for what no client library would send.

Header blocks are written without compression state of our own: literals only,
unless a test writes the bytes itself.
"""

import select
import socket
import ssl
import struct
import time

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags=0, stream=0, payload=b""):
    return (struct.pack(">I", len(payload))[1:] + bytes([kind, flags])
            + struct.pack(">I", stream) + payload)


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


def message(data=b""):
    """A gRPC message that is not compressed."""
    return b"\0" + struct.pack(">I", len(data)) + data


class Connection:
    """Sends whatever it is told, and drops what comes back. One thread does
    both, for a TLS session is not to be shared."""

    def __init__(self, port, ca, cert=None, key=None, settings=b"", read=True,
                 acknowledge=True):
        context = ssl.create_default_context(cafile=str(ca))
        context.set_alpn_protocols(["h2"])
        if cert:
            context.load_cert_chain(str(cert), str(key))
        self.socket = context.wrap_socket(
            socket.create_connection(("127.0.0.1", port)),
            server_hostname="localhost")
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
            self._take(data)
        return self

    def _take(self, data):
        data = self._rest + data
        at = 0
        while len(data) - at >= 9:
            size = int.from_bytes(data[at:at + 3], "big")
            if len(data) - at < 9 + size:
                break
            kind = data[at + 3]
            self.frames.setdefault(kind, []).append(
                data[at + 9:at + 9 + size])
            at += 9 + size
        self._rest = data[at:]

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
