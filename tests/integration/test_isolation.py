"""What is another's: nobody sees it, nobody changes it, nobody learns of it.

Every RPC that the running listeners have registered is called by everybody who
must not: the methods come from reflection, their messages from descriptors. An
RPC that is added is tested without another line here.
"""

import datetime
import re
import sqlite3
import unittest
import uuid

import grpc
from google.protobuf.descriptor import FieldDescriptor as F
from missioncontrol.v1 import heartbeat_pb2, options_pb2, reports_pb2

import pair
import reflected
from filler import Filler
from test_foreign_client import HOUR, ForeignClient, hello, openssl

DENIED = grpc.StatusCode.PERMISSION_DENIED
LISTENERS = ("enrollment", "cluster", "operator")
ROLES = ("viewer", "operator", "admin")
UNSUPPORTED = (grpc.StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED_YET")
# An ID that is claimed by naming it must be answered for where it is taken.
CLAIMED = "missioncontrol.v1.RegisterRequest.cluster_id"


class Answer:
    """How a call ended, whatever its kind: on the wire they are alike."""

    def __init__(self, channel, path, requests=(b"",)):
        self.responses = []
        call = channel.stream_stream(
            path, request_serializer=lambda b: b,
            response_deserializer=lambda b: b)(
                iter(requests), timeout=pair.PATIENCE_S)
        try:
            for response in call:
                self.responses.append(response)
                if path.endswith(("/Watch", "/WatchExchanges")):
                    call.cancel()
            self.code, self.reason, self.text = grpc.StatusCode.OK, None, ""
        except grpc.RpcError as error:
            self.code, self.text = error.code(), error.details()
            self.reason = pair.error_reason(error)

    @property
    def how(self):
        return self.code, self.reason, self.text

    def __repr__(self):
        return f"{self.how} {self.responses}"


class Authority:
    """Issues what no service would."""

    def __init__(self, folder, certificate=None, key=None):
        self.folder = folder / f"authority-{uuid.uuid4()}"
        self.folder.mkdir()
        self.certificate, self.key = certificate, key
        if certificate is None:
            self.certificate = self.folder / "ca.crt"
            self.key = self.folder / "ca.key"
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key,
                    "-out", self.certificate, "-subj", "/CN=another",
                    "-days", "10")

    def issue(self, uri, key=None, days=(-1, 1)):
        """Certificate and key files for a URI, valid between two days."""
        name = str(uuid.uuid4())
        if key is None:
            key = self.folder / f"{name}.key"
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-out", key)
        csr, crt = self.folder / f"{name}.csr", self.folder / f"{name}.crt"
        openssl("req", "-new", "-key", key, "-subj", "/", "-out", csr)
        (self.folder / "index").write_text("")
        conf = self.folder / "ca.cnf"
        conf.write_text(
            f"[ca]\ndefault_ca=it\n[it]\ndatabase={self.folder}/index\n"
            f"new_certs_dir={self.folder}\ndefault_md=sha256\npolicy=any\n"
            "rand_serial=yes\nx509_extensions=ext\n[any]\n"
            "commonName=optional\n[ext]\nbasicConstraints=critical,CA:FALSE\n"
            "keyUsage=critical,digitalSignature\n"
            "extendedKeyUsage=clientAuth\n"
            f"subjectAltName=critical,URI:{uri}\n")
        now = datetime.datetime.utcnow()
        start, end = ((now + datetime.timedelta(days=d)).strftime(
            "%y%m%d%H%M%SZ") for d in days)
        openssl("ca", "-batch", "-notext", "-config", conf, "-cert",
                self.certificate, "-keyfile", self.key, "-in", csr, "-out",
                crt, "-startdate", start, "-enddate", end)
        return crt, key


class Values(Filler):
    """Valid messages in the name of one cluster."""

    def __init__(self, client, **changes):
        super().__init__(datetime.datetime.utcfromtimestamp(HOUR))
        # The names of one are not the names of another.
        self.count = client.number * 10000
        self.of_name = {
            "cluster_id": client.cluster_id,
            "license_key": client.license_key,
            "user_name": client.user_name,
            "password": client.password,
            "page_token": "",
            "page_size": 10,
            "certificate_signing_request": client.csr_der,
            "site_public_key": client.site_key_raw,
            # The password is enough.
            "previous_certificate": b"",
            "previous_key_signature": b"",
            **changes,
        }

    def scalar(self, field):
        if field.name in self.of_name:
            return self.of_name[field.name]
        return super().scalar(field)

    def text(self, field):
        if field.GetOptions().Extensions[options_pb2.format]:
            return super().text(field)
        # Operators' messages declare no formats.
        return f"{field.name.replace('_', '-')}-{self.next()}"


def id_fields(message, path=()):
    """Every field of the format ID that is filled: path, owner, field."""
    for field, value in message.ListFields():
        repeated = field.label == F.LABEL_REPEATED
        for i, each in enumerate(value if repeated else [value]):
            here = path + ((field.name, i if repeated else None),)
            if field.type == F.TYPE_MESSAGE:
                yield from id_fields(each, here)
            elif (field.GetOptions().Extensions[options_pb2.format]
                  == options_pb2.FORMAT_ID):
                yield here, field


def put(message, path, value):
    for name, index in path[:-1]:
        message = getattr(message, name)
        message = message if index is None else message[index]
    name, index = path[-1]
    if index is None:
        setattr(message, name, value)
    else:
        getattr(message, name)[index] = value


def shape(message, names):
    """All that is said, with others' names for names; but for times, and what
    is drawn or signed."""
    said = []
    for field, value in message.ListFields():
        if field.type == F.TYPE_BYTES or field.name == "password":
            continue
        found = []
        for each in value if field.label == F.LABEL_REPEATED else [value]:
            if field.type != F.TYPE_MESSAGE:
                found.append(renamed(str(each), names))
            elif field.message_type.full_name != "google.protobuf.Timestamp":
                found.append(shape(each, names))
        # Listings are in the order of names.
        said.append((field.name, sorted(found, key=str)))
    return said


def renamed(text, names):
    for name, other in names:
        text = text.replace(name, other)
    return text


class Store:
    """All rows, and whose they are by the schema's references."""

    # Of exchanges, also of those that were refused.
    COUNTERS = {"exchange_count"}

    def __init__(self, service):
        self.path = next(service.dir.glob("*.db"))

    def rows(self):
        """Of all tables: {(table, row)}."""
        with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True) as db:
            return {(table, row) for table in self._tables(db)
                    for row in db.execute(f'SELECT * FROM "{table}"')}

    def rows_of(self, cluster_id):
        """All that refers to this cluster, its license or its account."""
        with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True) as db:
            tables = self._tables(db)
            account, = db.execute(
                "SELECT account_row FROM license WHERE id = (SELECT license_row"
                " FROM cluster WHERE cluster_id = ?)", [cluster_id]).fetchone()
            owned = {"account": {account}}
            found = set()
            # Until nothing is added: references come in any order.
            before = -1
            while before != len(found):
                before = len(found)
                for table in tables:
                    self._add(db, table, owned, found)
            return found

    def _tables(self, db):
        return [name for name, in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT "
            "LIKE 'sqlite%'") if name not in self.COUNTERS]

    @staticmethod
    def _add(db, table, owned, found):
        references = {(r[3], r[2]) for r in db.execute(
            f'PRAGMA foreign_key_list("{table}")')}
        cursor = db.execute(f'SELECT * FROM "{table}"')
        columns = [c[0] for c in cursor.description]
        for row in cursor:
            named = dict(zip(columns, row))
            mine = named.get("id") in owned.get(table, ()) or any(
                named[column] in owned.get(parent, ())
                for column, parent in references)
            if mine:
                found.add((table, row))
                if "id" in named:
                    owned.setdefault(table, set()).add(named["id"])


class IsolationTest(pair.PairTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # What is limited elsewhere is not what is tested here.
        cls.limits = {"limits": {
            "calls_per_second_per_cluster": 1000000,
            "enrollments_per_minute_per_address": 1000000,
            "enrollments_per_minute_per_license": 1000000,
            "recoveries_per_hour": 1000000}}

    def setUp(self):
        super().setUp()
        self.svc = self.service(reflection=True, config=self.limits)
        self.store = Store(self.svc)
        self.a = self.tenant("Attacker", "--clusters", "1000")
        self.b = self.tenant("Victim")
        self.use(self.b)
        self.admin = [self.svc.dir / "operator" / f"admin.{kind}"
                      for kind in ("crt", "key")]
        self.methods = {}
        for listener in LISTENERS:
            with self.svc.channel(listener, *self.identity_for(listener)) as c:
                self.methods[listener] = reflected.methods(c, pair.PATIENCE_S)
        self.every = {m.path: m for found in self.methods.values()
                      for m in found}
        # What the contract has is there: an empty list would pass everything.
        for service in ("Enrollment", "Cluster", "Fleet"):
            self.assertIn(f"missioncontrol.v1.{service}Service",
                          {m.service for m in self.every.values()})
        self.assertGreater(len(self.every), 40)

    def tenant(self, account, *flags):
        made = self.svc.create_license(*flags, account=account,
                                       name=f"license of {account}")
        client = ForeignClient(self.folder, self.svc, made["licenseKey"])
        answer = client.register()
        client.user_name = answer.user_name
        client.password = answer.password
        client.license_id = made["license"]["licenseId"]
        client.account_id = made["license"]["accountId"]
        client.account_name = account
        client.csr_der = client.csr()
        client.site_key_raw = client.site_public_key()
        client.sequence = 0
        client.number = self.tenants = getattr(self, "tenants", 0) + 1
        return client

    def use(self, client):
        """A report of each lane and a beat, so that there is something."""
        for method, message in (
                ("StreamReports", reports_pb2.StreamReportsRequest),
                ("StreamHeartbeats", heartbeat_pb2.StreamHeartbeatsRequest)):
            stub = client.stub()
            for requests in self.conversations(client, message):
                list(getattr(stub, method)(iter(requests),
                                           timeout=pair.PATIENCE_S))
        beats = "SELECT count(*) FROM presence"
        def written():
            with sqlite3.connect(self.store.path) as db:
                return db.execute(beats).fetchone()[0]
        pair.eventually(written, "the beat is written")

    def identity_for(self, listener, client=None):
        if listener == "cluster":
            client = client or self.a
            return client.tls_cert, client.tls_key
        return self.admin if listener == "operator" else (None, None)

    # --- messages -----------------------------------------------------------

    def conversations(self, client, message, **changes):
        """Valid requests of one call, for each kind of message there is."""
        if message is None:
            return [[]]
        if message.DESCRIPTOR.full_name == (
                "missioncontrol.v1.StreamReportsRequest"):
            return [[hello(client), request]
                    for request in self.reports(client)]
        return [[Values(client, **changes).fill(message())]]

    def reports(self, client):
        envelope = reports_pb2.ReportEnvelope
        lanes = {"health_check": reports_pb2.LANE_HEALTH,
                 "consumption": reports_pb2.LANE_BILLING,
                 "cluster_events": reports_pb2.LANE_EVENTS}
        payloads = envelope.DESCRIPTOR.oneofs_by_name["payload"].fields
        self.assertEqual({f.name for f in payloads}, set(lanes))
        client.sequence += 1
        for field in payloads:
            request = reports_pb2.StreamReportsRequest()
            report = request.report
            report.lane, report.epoch = lanes[field.name], 1
            report.sequence = client.sequence
            report.created_at.GetCurrentTime()
            values = Values(client, start_minute=600, type=0)
            payload = values.fill(getattr(report, field.name))
            if field.name == "consumption":
                self.settle(payload, values.base, client.sequence)
            for event in getattr(payload, "events", ()):
                event.type = 1
                event.event_id = str(uuid.UUID(int=values.next() + (
                    client.sequence << 64)))
            yield request

    @staticmethod
    def settle(consumption, base, number):
        """Times of a report lie within its frame; a frame of its own each."""
        start = base + datetime.timedelta(seconds=number)
        consumption.time_frame.start.FromDatetime(start)
        consumption.time_frame.end.FromDatetime(
            start + datetime.timedelta(seconds=1))
        for environment in consumption.environments:
            for monitor in environment.synthetic_monitors:
                monitor.type = 1
            for host in environment.hosts:
                del host.monitored[:]
                interval = host.monitored.add()
                interval.CopyFrom(consumption.time_frame)

    def some_request(self, method):
        """One valid request, naming what is there; nothing for others'."""
        if method.request is None:
            return [b""]
        sent = self.conversations(
            self.b, method.request, license_id=self.b.license_id,
            account_id=self.b.account_id, confirm_name=self.b.account_name,
            name="viewer")[0]
        return [m.SerializeToString() for m in sent]

    # --- tests --------------------------------------------------------------

    def assert_nothing(self, answer, path):
        """No message, and no word of the victim in the error."""
        self.assertNotEqual(answer.code, grpc.StatusCode.OK, path)
        self.assertEqual(answer.responses, [], path)
        for secret in self.known_of(self.b):
            self.assertNotIn(secret, answer.text, path)

    @staticmethod
    def known_of(client):
        return {client.cluster_id, client.license_key, client.license_id,
                client.account_id, client.account_name, client.user_name,
                client.password}

    def test_strangers_on_every_rpc(self):
        svc = self.svc
        ca = {name: Authority(self.folder, svc.dir / "ca" / f"{name}-ca.crt",
                              svc.dir / "ca" / f"{name}-ca.key")
              for name in ("cluster", "operator")}
        another = Authority(self.folder)
        cluster = f"spiffe://test.example/cluster/{self.a.cluster_id}"
        admin = "spiffe://test.example/operator/admin"
        revoked = self.tenant("Revoked")
        svc.mcctl("cluster", "revoke", revoked.cluster_id)
        unknown = f"spiffe://test.example/cluster/{uuid.uuid4()}"
        strangers = {
            "cluster": {
                "none": (None, None),
                "of another CA": another.issue(cluster, self.a.tls_key),
                "expired": ca["cluster"].issue(cluster, self.a.tls_key,
                                               days=(-30, -1)),
                "not yet valid": ca["cluster"].issue(cluster, self.a.tls_key,
                                                     days=(2, 30)),
                "revoked": (revoked.tls_cert, revoked.tls_key),
                "an operator's": self.admin,
                "not registered": ca["cluster"].issue(unknown),
                "another key of a cluster": ca["cluster"].issue(cluster),
                "of another trust domain": ca["cluster"].issue(
                    cluster.replace("test.example", "other.example"),
                    self.a.tls_key),
                "an operator's name": ca["cluster"].issue(admin),
            },
            "operator": {
                "none": (None, None),
                "of another CA": another.issue(admin, self.admin[1]),
                "expired": ca["operator"].issue(admin, self.admin[1],
                                                days=(-30, -1)),
                "not yet valid": ca["operator"].issue(admin, self.admin[1],
                                                      days=(2, 30)),
                "a cluster's": (self.a.tls_cert, self.a.tls_key),
                "not known": ca["operator"].issue(
                    "spiffe://test.example/operator/nobody"),
                "of another trust domain": ca["operator"].issue(
                    admin.replace("test.example", "other.example"),
                    self.admin[1]),
                "a cluster's name": ca["operator"].issue(cluster),
            },
        }
        before = self.store.rows()
        for listener, each in strangers.items():
            for name, identity in each.items():
                with self.subTest(listener=listener, certificate=name), \
                        svc.channel(listener, *identity) as channel:
                    for method in self.methods[listener]:
                        if method.service.startswith("grpc."):
                            continue
                        answer = Answer(channel, method.path,
                                        self.some_request(method))
                        self.assert_nothing(answer, method.path)
                        self.assertIn(answer.code, (
                            grpc.StatusCode.UNAVAILABLE,
                            grpc.StatusCode.UNAUTHENTICATED, DENIED))
        self.assertEqual(self.store.rows(), before)

    def test_every_rpc_is_denied_where_it_is_not_served(self):
        before = self.store.rows()
        for listener in LISTENERS:
            served = {m.path for m in self.methods[listener]}
            others = set(self.every) - served
            self.assertGreater(len(others), 5)
            strange = [
                "/missioncontrol.v1.ClusterService/NoSuchMethod",
                "/missioncontrol.v1.AgentService/GetStatus",
                "/missioncontrol.v1.SiteService/Join",
                "/grpc.channelz.v1.Channelz/GetServers",
                "/", "//", "/a", "/a/b/c", "/%2e%2e/x", "/" + "x" * 4000,
            ]
            for path in served:
                strange += [path + "/", path.lower(), path + "?x=1", "/" + path,
                            path + "%00", path[1:].join(["/.", ""])]
            with self.subTest(listener), self.svc.channel(
                    listener, *self.identity_for(listener)) as channel:
                for path in [*others, *strange]:
                    request = [b""]
                    if path in others:
                        request = self.some_request(self.every[path])
                    answer = Answer(channel, path, request)
                    self.assert_nothing(answer, path)
                    self.assertEqual(answer.code, DENIED, path)
                    self.assertTrue(
                        answer.text.startswith("METHOD_NOT_ALLOWED"), path)
        self.assertEqual(self.store.rows(), before)

    def test_each_role_on_every_rpc(self):
        needed = reflected.roles(pair.SOURCE)
        fleet = [m for m in self.methods["operator"]
                 if m.service.startswith("missioncontrol.")]
        self.assertEqual({m.name for m in fleet}, set(needed))
        self.assertEqual(set(needed.values()), set(ROLES))
        ca = Authority(self.folder, self.svc.dir / "ca" / "operator-ca.crt",
                       self.svc.dir / "ca" / "operator-ca.key")
        with sqlite3.connect(self.store.path, timeout=pair.PATIENCE_S) as db:
            for number, role in enumerate(ROLES, 1):
                db.execute("INSERT INTO operator (name, role) VALUES (?, ?)",
                           [f"the-{role}", number])
        before = self.store.rows()
        allowed = []
        for role in ROLES:
            identity = ca.issue(f"spiffe://test.example/operator/the-{role}")
            with self.svc.channel("operator", *identity) as channel:
                for method in fleet:
                    with self.subTest(role=role, method=method.name):
                        if ROLES.index(role) >= ROLES.index(needed[method.name]):
                            allowed.append((channel, role, identity, method))
                            continue
                        there = Answer(channel, method.path,
                                       self.some_request(method))
                        self.assert_nothing(there, method.path)
                        self.assertEqual(
                            (there.code, there.reason),
                            (DENIED, "ROLE_NOT_SUFFICIENT"))
                        # Whether it exists makes no difference.
                        nothing = [m.SerializeToString() for m in
                                   self.conversations(self.a, method.request)[0]
                                   ] if method.request else [b""]
                        self.assertEqual(
                            Answer(channel, method.path, nothing).how,
                            there.how)
        self.assertEqual(self.store.rows(), before)
        # And what the contract allows is let in, with names of nothing.
        for _, role, identity, method in allowed:
            with self.subTest(allowed=role, method=method.name), \
                    self.svc.channel("operator", *identity) as channel:
                if method.name.startswith("Watch"):
                    continue
                values = Values(self.a, cluster_id=str(uuid.uuid4()))
                # Anyone may ask for oneself.
                if method.name == "IssueOperatorCertificate":
                    values.of_name["name"] = ""
                answer = Answer(
                    channel, method.path,
                    [values.fill(method.request()).SerializeToString()])
                self.assertNotIn(answer.code, (
                    DENIED, grpc.StatusCode.UNAUTHENTICATED,
                    grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL),
                    answer)

    def ask(self, channel, method, requests):
        answer = Answer(channel, method.path,
                        [m.SerializeToString() for m in requests])
        if method.response is not None:
            answer.responses = [
                method.response.FromString(r) for r in answer.responses]
        return answer

    def test_another_tenants_ids_in_every_field(self):
        """Twins do the same, one with the victim's IDs, one with nobody's."""
        victim = self.b
        twin = self.tenant("Twin", "--clusters", "1000")
        twin.number = self.a.number
        taken = ForeignClient(self.folder, self.svc, twin.license_key)
        taken.register()
        before = self.store.rows_of(victim.cluster_id)
        self.assertGreater(len(before), 20)
        named = re.compile(f"id-{victim.number}[0-9]{{4}}")
        nobody = str(uuid.uuid4())
        foreign = {victim.cluster_id: nobody,
                   victim.user_name:
                   victim.user_name.replace(victim.cluster_id, nobody),
                   victim.license_id: str(uuid.uuid4()),
                   victim.account_id: str(uuid.uuid4())}
        # A name of an environment, a node: whatever it calls its own.
        name = min(str(value) for _, row in before for value in row
                   if named.fullmatch(str(value)))
        foreign[name] = "of-nobody"
        names = [*foreign.items(), (victim.cluster_id, taken.cluster_id),
                 *((str(getattr(self.a, name)), str(getattr(twin, name)))
                   for name in ("cluster_id", "license_id", "account_id",
                                "account_name"))]
        tested = 0
        for listener in ("enrollment", "cluster"):
            twins = [(c, self.svc.channel(listener,
                                          *self.identity_for(listener, c)))
                     for c in (self.a, twin)]
            for _, channel in twins:
                self.addCleanup(channel.close)
            for method in self.methods[listener]:
                if method.request is None:
                    continue
                fields = self.check_valid(method, twins)
                for kind, number, path, field in fields:
                    for theirs, nobodys in foreign.items():
                        if field.full_name == CLAIMED and (
                                theirs == victim.cluster_id):
                            nobodys = taken.cluster_id
                        with self.subTest(method=method.path, id=theirs,
                                          field=field.full_name):
                            self.try_id(method, twins, kind, number, path,
                                        field, (theirs, nobodys), names)
                        tested += 1
        self.assertGreater(tested, 100)
        self.assertEqual(self.store.rows_of(victim.cluster_id), before)

    def check_valid(self, method, twins):
        """The requests are good as they are, else no one looks at the IDs.
        Returns where their IDs are."""
        for client, channel in twins:
            conversations = self.conversations(client, method.request)
            for requests in conversations:
                answer = self.ask(channel, method, requests)
                self.keep_password(client, answer)
                if answer.how[:2] != UNSUPPORTED:
                    self.assertEqual(answer.code, grpc.StatusCode.OK,
                                     f"{method} {answer}")
                self.assertNotIn("rejection", str(answer.responses))
        return [(kind, number, path, field)
                for kind, requests in enumerate(conversations)
                for number, message in enumerate(requests)
                for path, field in id_fields(message)]

    @staticmethod
    def keep_password(client, answer):
        """Each registration ends the password of the one before."""
        for response in answer.responses:
            if getattr(response, "user_name", None) == client.user_name:
                client.password = response.password

    def try_id(self, method, twins, kind, number, path, field, values, names):
        answers = []
        for (client, channel), value in zip(twins, values):
            requests = self.conversations(client, method.request)[kind]
            put(requests[number], path, value)
            answers.append(self.ask(channel, method, requests))
            self.keep_password(client, answers[-1])
        there, nothing = answers
        self.assertEqual(there.how[:2], nothing.how[:2])
        self.assertIn(renamed(there.text, names),
                      (nothing.text, renamed(nothing.text, names)))
        self.assertEqual([shape(r, names) for r in there.responses],
                         [shape(r, names) for r in nothing.responses])
        told = there.text + "".join(map(str, there.responses))
        for secret in (self.b.license_key, self.b.password,
                       self.b.account_name):
            self.assertNotIn(secret, told)
        if field.name == "cluster_id" and field.full_name != CLAIMED:
            self.assertIn(there.how[:2],
                          [(DENIED, "IDENTITY_MISMATCH"), UNSUPPORTED])


if __name__ == "__main__":
    unittest.main()
