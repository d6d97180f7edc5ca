"""A server that is not the service."""

import contextlib
import socket
import ssl
import threading


class Impostor:
    """Ends TLS in the service's place, and counts what comes after the
    handshake. Each connection is closed when nothing came for a second."""

    def __init__(self, port, cert, key, clients=None, version=None):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(cert, key)
        self._context.set_alpn_protocols(["h2"])
        if clients:
            self._context.verify_mode = ssl.CERT_REQUIRED
            self._context.load_verify_locations(clients)
        if version:
            self._context.maximum_version = version
        self._listening = socket.create_server(("127.0.0.1", port))
        self._lock = threading.Lock()
        self.connections = self.handshakes = self.bytes = 0
        # Beginnings of what came, to be looked at by people.
        self.said = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,),
                             daemon=True).start()

    def _serve(self, connection):
        handshake, received = 0, b""
        connection.settimeout(10)
        with contextlib.suppress(OSError), connection:
            with self._context.wrap_socket(connection, server_side=True) as tls:
                handshake = 1
                # Long enough for whoever would speak: it is loopback.
                tls.settimeout(1)
                with contextlib.suppress(TimeoutError):
                    while data := tls.recv(65536):
                        received += data
        with self._lock:
            self.connections += 1
            self.handshakes += handshake
            self.bytes += len(received)
            if received:
                self.said.append(received[:100])

    def close(self):
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
