"""The part of Kubernetes' API server that keeps Leases, for tests: real TLS,
resource versions and conflicts, and what goes wrong with it."""

import copy
import http.server
import json
import re
import ssl
import threading
import time

PATH = re.compile(
    r"/apis/coordination\.k8s\.io/v1/namespaces/([^/]+)/leases(?:/([^/]+))?")


class FakeKubernetes:
    """Callers are told apart by their tokens."""

    def __init__(self, certificate, key):
        self._lock = threading.Lock()
        self._leases = {}
        self._version = 0
        self.tokens = set()
        # Tokens that are not answered; "*" is everybody's.
        self.cut = set()
        # Tokens whose calls hang until the end.
        self.hung = set()
        self._over = threading.Event()
        # When each token wrote last (time.monotonic).
        self.written_at = {}
        # Everybody who held a Lease, in order.
        self.holders = []
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def _handle(self):
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                token = self.headers.get("Authorization", "")
                token = token.removeprefix("Bearer ")
                if token in fake.hung:
                    fake._over.wait()
                status, answer = fake.answer(
                    self.command, self.path, token, body)
                if status is None:
                    self.close_connection = True
                    return
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = _handle

            def log_message(self, *args):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self):
                # The handshake is the handler's: a client that hangs in it
                # must not hold up the others.
                connection, address = self.socket.accept()
                return context.wrap_socket(
                    connection, server_side=True,
                    do_handshake_on_connect=False), address

            def handle_error(self, request, client_address):
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self):
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @staticmethod
    def _status(code, reason):
        return code, {"kind": "Status", "code": code, "reason": reason,
                      "message": reason}

    def answer(self, method, path, token, body):
        with self._lock:
            if "*" in self.cut or token in self.cut:
                return None, None
            if token not in self.tokens:
                return self._status(401, "Unauthorized")
            match = PATH.fullmatch(path)
            if not match:
                return self._status(404, "NotFound")
            name = match.group(2)
            if method == "GET":
                if name not in self._leases:
                    return self._status(404, "NotFound")
                return 200, self._leases[name]
            sent = json.loads(body)
            metadata = sent["metadata"]
            name = name or metadata["name"]
            known = self._leases.get(name)
            if method == "POST" and known:
                return self._status(409, "AlreadyExists")
            if method == "PUT":
                if not known:
                    return self._status(404, "NotFound")
                version = known["metadata"]["resourceVersion"]
                if metadata.get("resourceVersion") != version:
                    return self._status(409, "Conflict")
            self._version += 1
            metadata["resourceVersion"] = str(self._version)
            self._leases[name] = copy.deepcopy(sent)
            self.written_at[token] = time.monotonic()
            holder = sent["spec"]["holderIdentity"]
            if not self.holders or self.holders[-1] != holder:
                self.holders.append(holder)
            return (201 if method == "POST" else 200), sent
