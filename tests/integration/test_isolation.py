"""What is another's: nobody sees it, nobody changes it, nobody learns of it.

Every RPC that the running listeners have registered is called by everybody who
must not: the methods come from reflection, their messages from descriptors. An
RPC that is added is tested without another line here.
"""

import re
import sqlite3
import unittest
import uuid

import grpc
from missioncontrol.v1 import heartbeat_pb2, reports_pb2

import pair
import reflected
from identities import Authority
from ownership import Store, id_fields, put, renamed, shape
from tenants import Values, conversations
from test_foreign_client import ForeignClient

DENIED = grpc.StatusCode.PERMISSION_DENIED
LISTENERS = ("enrollment", "cluster", "operator")
ROLES = ("viewer", "operator", "admin")
DAY_S = 86400
EXPIRED = {"start_s": -30 * DAY_S, "end_s": -DAY_S}
NOT_YET = {"start_s": DAY_S, "end_s": 30 * DAY_S}
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
            for requests in conversations(client, message):
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

    def some_request(self, method):
        """One valid request, naming what is there; nothing for others'."""
        if method.request is None:
            return [b""]
        sent = conversations(
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
        ca = {name: Authority.of(svc, name)
              for name in ("cluster", "operator")}
        another = Authority.unknown(self.folder)
        cluster = f"URI:spiffe://test.example/cluster/{self.a.cluster_id}"
        admin = "URI:spiffe://test.example/operator/admin"
        revoked = self.tenant("Revoked")
        svc.mcctl("cluster", "revoke", revoked.cluster_id)
        unknown = f"URI:spiffe://test.example/cluster/{uuid.uuid4()}"
        strangers = {
            "cluster": {
                "none": (None, None),
                "of another CA": another.issue(cluster, key=self.a.tls_key),
                "expired": ca["cluster"].issue(
                    cluster, key=self.a.tls_key, **EXPIRED),
                "not yet valid": ca["cluster"].issue(
                    cluster, key=self.a.tls_key, **NOT_YET),
                "revoked": (revoked.tls_cert, revoked.tls_key),
                "an operator's": self.admin,
                "not registered": ca["cluster"].issue(unknown),
                "another key of a cluster": ca["cluster"].issue(cluster),
                "of another trust domain": ca["cluster"].issue(
                    cluster.replace("test.example", "other.example"),
                    key=self.a.tls_key),
                "an operator's name": ca["cluster"].issue(admin),
            },
            "operator": {
                "none": (None, None),
                "of another CA": another.issue(admin, key=self.admin[1]),
                "expired": ca["operator"].issue(
                    admin, key=self.admin[1], **EXPIRED),
                "not yet valid": ca["operator"].issue(
                    admin, key=self.admin[1], **NOT_YET),
                "a cluster's": (self.a.tls_cert, self.a.tls_key),
                "not known": ca["operator"].issue(
                    "URI:spiffe://test.example/operator/nobody"),
                "of another trust domain": ca["operator"].issue(
                    admin.replace("test.example", "other.example"),
                    key=self.admin[1]),
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
        ca = Authority.of(self.svc, "operator")
        with sqlite3.connect(self.store.path, timeout=pair.PATIENCE_S) as db:
            for number, role in enumerate(ROLES, 1):
                db.execute("INSERT INTO operator (name, role) VALUES (?, ?)",
                           [f"the-{role}", number])
        before = self.store.rows()
        allowed = []
        for role in ROLES:
            identity = ca.issue(
                f"URI:spiffe://test.example/operator/the-{role}")
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
                        nothing = [
                            m.SerializeToString() for m in
                            conversations(self.a, method.request)[0]
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
            calls = conversations(client, method.request)
            for requests in calls:
                answer = self.ask(channel, method, requests)
                self.keep_password(client, answer)
                if answer.how[:2] != UNSUPPORTED:
                    self.assertEqual(answer.code, grpc.StatusCode.OK,
                                     f"{method} {answer}")
                self.assertNotIn("rejection", str(answer.responses))
        return [(kind, number, path, field)
                for kind, requests in enumerate(calls)
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
            requests = conversations(client, method.request)[kind]
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
