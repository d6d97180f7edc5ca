"""Credentials that are guessed, expired or used twice, and certificate requests
that ask for more than they may: refused, limited, logged, counted; and whatever
is tried, nothing changes."""

import concurrent.futures
import datetime
import json
import re
import sqlite3
import threading
import time
import unittest
import urllib.request
import uuid

import grpc
from missioncontrol.v1 import identity_pb2, license_pb2

import identities
import pair
from test_foreign_client import ForeignClient
from test_front import retry_delay

CODE = grpc.StatusCode
REFUSED = (CODE.PERMISSION_DENIED, "CREDENTIALS_REFUSED")
LIMITED = (CODE.RESOURCE_EXHAUSTED, "RATE_LIMITED")
GOOD = (CODE.OK, None)


class CredentialsTest(pair.PairTest):

    def start(self, **limits):
        self.svc = self.service(config={"limits": limits} if limits else None)
        self.made = self.svc.create_license("--clusters", "100")
        self.stub = self.svc.enrollment()

    def enroll(self):
        client = ForeignClient(self.folder, self.svc, self.made["licenseKey"])
        client.password = client.register().password
        return client

    def outcome(self, call, request):
        """((code, reason), retry delay)."""
        try:
            call(request, timeout=pair.PATIENCE_S)
        except grpc.RpcError as error:
            return (error.code(), pair.error_reason(error)), retry_delay(error)
        return GOOD, None

    def recover(self, client, password, **kwargs):
        return self.outcome(
            self.stub.RecoverCertificate, identities.recovery(
                client.cluster_id, password, client.csr(), **kwargs))

    def figure(self, name):
        with urllib.request.urlopen(
                f"http://127.0.0.1:{self.svc.ports['metrics']}/metrics",
                timeout=pair.PATIENCE_S) as answer:
            text = answer.read().decode()
        return float(re.search(rf"^mission_control_{name} (\S+)$", text,
                               re.M).group(1))

    def log_lines(self, message):
        lines = map(json.loads, self.svc.process.output().splitlines())
        return [line for line in lines if message in line["message"]]

    def identity_rows(self):
        """All that decides who is let in."""
        found = {}
        with sqlite3.connect(
                f"file:{next(self.svc.dir.glob('*.db'))}?mode=ro",
                uri=True) as db:
            for table in ("cluster", "issued_identity", "operator",
                          "enrollment_token"):
                found[table] = db.execute(f"SELECT * FROM {table}").fetchall()
        return found

    def works(self, client):
        return self.outcome(client.stub().CheckLicense,
                            license_pb2.CheckLicenseRequest())[0] == GOOD

    def test_guessed_passwords_are_limited_logged_and_counted(self):
        self.start(recoveries_per_hour=6)
        client, other = self.enroll(), self.enroll()
        rows = self.identity_rows()
        # Guesses count double: three of them are all there is in this hour.
        for number in range(3):
            self.assertEqual(self.recover(client, f"guess-{number}" * 6)[0],
                             REFUSED)
        result, delay = self.recover(client, "guess-again" * 4)
        self.assertEqual(result, LIMITED)
        self.assertGreater(delay, 60)
        self.assertLessEqual(delay, 3600)
        # Nobody learns whether there is such a user.
        nobody = ForeignClient(self.folder, self.svc, "")
        nobody.cluster_id = str(uuid.uuid4())
        answers = [self.recover(nobody, "guess" * 9) for _ in range(4)]
        self.assertEqual([result for result, _ in answers],
                         [REFUSED] * 3 + [LIMITED])
        self.assertGreater(answers[-1][1], 60)

        self.assertEqual(self.figure("recoveries_refused_total"), 6)
        self.assertEqual(self.figure("enrollments_refused_total"), 6)
        lines = self.log_lines("the recovery of a certificate was refused")
        self.assertEqual([line["user_name"] for line in lines],
                         [f"cluster-{client.cluster_id}"] * 3
                         + [f"cluster-{nobody.cluster_id}"] * 3)
        self.assertEqual({line["level"] for line in lines}, {"warning"})
        addresses = {line["address"] for line in self.log_lines(
            "its credentials are none")}
        self.assertEqual(len(addresses), 1)
        self.assertIn("127.0.0.1", addresses.pop())
        self.assertNotIn("guess-0guess", self.svc.process.output())
        # It changes nothing for the one that was guessed at, nor for others.
        self.assertEqual(self.identity_rows(), rows)
        self.assertTrue(self.works(client))
        self.assertEqual(self.recover(other, other.password)[0], GOOD)
        self.assertEqual(self.recover(client, client.password)[0], GOOD)

    def test_an_address_that_tries_many_users_is_limited(self):
        self.start(enrollments_per_minute_per_address=10)
        client = self.enroll()
        results = []
        for _ in range(12):
            client.cluster_id = str(uuid.uuid4())
            results.append(self.recover(client, "guess" * 9))
        self.assertEqual({result for result, _ in results},
                         {REFUSED, LIMITED})
        self.assertLessEqual(
            sum(result == REFUSED for result, _ in results), 10)
        self.assertTrue(all(delay >= 1 for result, delay in results
                            if result == LIMITED))
        self.assertGreater(self.figure("enrollments_limited_by_address_total"),
                           0)
        self.assertTrue(self.log_lines("too many"))

    def test_passwords_that_were_replaced_are_good_no_more(self):
        self.start(recoveries_per_hour=100)
        client = self.enroll()
        before = client.password
        renewed = identities.renew(self.svc, client.tls_cert, client.tls_key)
        # Until the new one was used, both are good; not to be known by others.
        self.assertEqual(len({before, renewed.password}), 2)
        self.assertGreaterEqual(len(renewed.password), 43)
        self.assertEqual(self.recover(client, before)[0], GOOD)
        self.assertEqual(
            self.outcome(self.svc.cluster(renewed.cert, renewed.key)
                         .CheckLicense, license_pb2.CheckLicenseRequest())[0],
            GOOD)
        counted = self.figure("recoveries_refused_total")
        self.assertEqual(self.recover(client, before)[0], REFUSED)
        self.assertEqual(self.figure("recoveries_refused_total"), counted + 1)
        # A proof by a key that is not this cluster's makes it no better, and
        # takes nothing from a good password either.
        stranger = self.enroll()
        proof = (stranger.tls_cert, stranger.tls_key)
        self.assertEqual(self.recover(client, before, proof=proof)[0],
                         (CODE.INVALID_ARGUMENT, "INVALID_FIELD"))
        forged = (client.tls_cert, stranger.tls_key)
        self.assertEqual(self.recover(client, before, proof=forged)[0],
                         (CODE.INVALID_ARGUMENT, "INVALID_FIELD"))
        # The disk that was restored has both: the password and its key.
        own = (client.tls_cert, client.tls_key)
        self.assertEqual(self.recover(client, before, proof=own)[0], GOOD)
        # Digests alone are kept, and none of it is logged.
        kept = b"".join(p.read_bytes() for p in self.svc.dir.glob("store.db*"))
        kept += self.svc.process.log.read_bytes()
        for password in (before, renewed.password):
            self.assertNotIn(password.encode(), kept)

    def test_expired_tokens_are_counted_and_logged(self):
        self.start()
        made = self.svc.create_license("--enrollment-policy", "token",
                                       name="token")
        created = self.svc.mcctl_json(
            "license", "token", "create", made["license"]["licenseId"],
            "--lifetime", "1s")
        token = created["token"]
        end = datetime.datetime.fromisoformat(
            created["enrollmentToken"]["expiresAt"])
        client = ForeignClient(self.folder, self.svc, made["licenseKey"])
        pair.eventually(
            lambda: datetime.datetime.now(datetime.timezone.utc) > end,
            "the token ends")
        self.assertEqual(
            self.outcome(self.stub.Register,
                         client.request(enrollment_token=token))[0],
            (CODE.PERMISSION_DENIED, "ENROLLMENT_TOKEN_REFUSED"))
        self.assertEqual(self.figure("enrollments_refused_total"), 1)
        self.assertTrue(self.log_lines("its credentials are none"))
        self.assertNotIn(token, self.svc.process.output())

    def at_the_same_moment(self, calls):
        """The outcomes of calls that begin together, each on a connection of
        its own that stands already."""
        barrier = threading.Barrier(len(calls))

        def attempt(make):
            with self.svc.channel("enrollment", options=(
                    ("grpc.use_local_subchannel_pool", 1),)) as channel:
                grpc.channel_ready_future(channel).result(pair.PATIENCE_S)
                method, request, answer = make
                call = channel.unary_unary(
                    f"/missioncontrol.v1.EnrollmentService/{method}",
                    request_serializer=type(request).SerializeToString,
                    response_deserializer=answer)
                barrier.wait(pair.PATIENCE_S)
                return self.outcome(call, request)[0]

        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(attempt, calls))

    def register_together(self, requests):
        outcomes = self.at_the_same_moment(
            [("Register", request, lambda b: b) for request in requests])
        winners = [r for r, o in zip(requests, outcomes) if o == GOOD]
        return winners, sorted(o[1] for o in outcomes if o != GOOD)

    def test_one_cluster_id_registered_twice_at_the_same_moment(self):
        self.start()
        rivals = [ForeignClient(self.folder, self.svc, self.made["licenseKey"])
                  for _ in range(8)]
        for rival in rivals:
            rival.cluster_id = rivals[0].cluster_id
        winners, others = self.register_together(
            [rival.request() for rival in rivals])
        self.assertEqual(len(winners), 1)
        self.assertEqual(others, ["CLUSTER_ALREADY_REGISTERED"] * 7)
        # The winner's keys are the cluster's, and nobody else's.
        for rival in rivals:
            result, _ = self.outcome(self.stub.Register, rival.request())
            self.assertEqual(
                result == GOOD,
                rival.site_public_key() == winners[0].site_public_key)

    def test_last_place_of_a_license_taken_twice_at_the_same_moment(self):
        self.start()
        made = self.svc.create_license("--clusters", "1", name="one")
        winners, others = self.register_together([
            ForeignClient(self.folder, self.svc, made["licenseKey"]).request()
            for _ in range(8)])
        self.assertEqual(len(winners), 1)
        self.assertEqual(others, ["LICENSE_CLUSTER_LIMIT"] * 7)

    def test_token_used_twice_at_the_same_moment(self):
        self.start()
        made = self.svc.create_license("--enrollment-policy", "token",
                                       name="token")
        token = self.svc.mcctl_json(
            "license", "token", "create",
            made["license"]["licenseId"])["token"]
        winners, others = self.register_together([
            ForeignClient(self.folder, self.svc, made["licenseKey"]).request(
                enrollment_token=token) for _ in range(8)])
        self.assertEqual(len(winners), 1)
        self.assertEqual(others, ["ENROLLMENT_TOKEN_REFUSED"] * 7)
        listed = self.svc.mcctl_json(
            "license", "token", "list",
            made["license"]["licenseId"])["enrollmentTokens"]
        self.assertEqual([t["clusterId"] for t in listed],
                         [winners[0].cluster_id])
        self.assertEqual(self.figure("enrollments_refused_total"), 7)

    def test_requests_for_more_than_a_clusters_certificate(self):
        """Of those who are registered: where Register refuses is elsewhere."""
        self.start(recoveries_per_hour=100)
        client, victim = self.enroll(), self.enroll()
        key = identities.new_key(self.folder / "asked.key")
        rows = self.identity_rows()
        invalid = CODE.INVALID_ARGUMENT
        for reason, request in identities.bad_requests(key,
                                                       victim.cluster_id):
            with self.subTest(reason, size=len(request)):
                self.assertEqual(self.outcome(
                    client.stub().RenewCertificate,
                    identity_pb2.RenewCertificateRequest(
                        certificate_signing_request=request))[0],
                    (invalid, reason))
                self.assertEqual(self.outcome(
                    self.stub.RecoverCertificate, identities.recovery(
                        client.cluster_id, client.password, request))[0],
                    (invalid, reason))
        self.assertEqual(self.identity_rows(), rows)
        # What is issued says who asked, and that it may issue nothing.
        renewed = identities.renew(self.svc, client.tls_cert, client.tls_key)
        text = identities.openssl("x509", "-noout", "-text", "-in",
                                  renewed.cert).decode()
        self.assertIn(f"URI:{identities.uri_of(client.cluster_id)}\n", text)
        self.assertEqual(text.count("URI:"), 1)
        self.assertNotIn("DNS:", text)
        self.assertIn("CA:FALSE", text)
        self.assertNotIn("Certificate Sign", text)
        self.assertIn("TLS Web Client Authentication", text)
        self.assertNotIn("TLS Web Server Authentication", text)
        # Thirty days are what one gets who says nothing else.
        self.assertAlmostEqual(self.days(renewed.cert), 30, delta=0.01)

    def days(self, cert):
        end = identities.openssl("x509", "-noout", "-enddate", "-dateopt",
                                 "iso_8601", "-in", cert).decode().strip()
        end = time.strptime(end, "notAfter=%Y-%m-%d %H:%M:%SZ")
        return (time.mktime(end) - time.timezone - time.time()) / 86400


if __name__ == "__main__":
    unittest.main()
