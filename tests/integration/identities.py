"""What a cluster does about its identity besides registering: renews it,
recovers it, and holds certificates that end when a test wants them to."""

import datetime
import pathlib
import subprocess
import uuid

import pair
from missioncontrol.v1 import identity_pb2

from test_foreign_client import openssl, pem

# openssl ca can choose the dates of a certificate to the second.
CONFIG = """
[ca]
default_ca = it
[it]
database = {folder}/index
new_certs_dir = {folder}
default_md = sha256
policy = any
rand_serial = yes
unique_subject = no
[any]
commonName = optional
"""


class Authority:
    """Issues with an authority's key what no service would."""

    def __init__(self, folder, certificate, key):
        self.folder = pathlib.Path(folder) / f"authority-{uuid.uuid4()}"
        self.folder.mkdir()
        self.certificate, self.key = certificate, key
        (self.folder / "index").touch()
        self.config = self.folder / "ca.cnf"
        self.config.write_text(CONFIG.format(folder=self.folder))

    @classmethod
    def of(cls, service, name):
        """The service's own: server, cluster or operator."""
        ca = service.dir / "ca"
        return cls(service.folder, ca / f"{name}-ca.crt", ca / f"{name}-ca.key")

    @classmethod
    def unknown(cls, folder):
        """One that nobody trusts."""
        name = pathlib.Path(folder) / f"unknown-{uuid.uuid4()}"
        key, crt = name.with_suffix(".key"), name.with_suffix(".crt")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
                crt, "-subj", "/CN=unknown", "-days", "10")
        return cls(folder, crt, key)

    def issue(self, san, key=None, usage="clientAuth", start_s=-3600,
              end_s=3600, ca=False):
        """Certificate and key files for a name, valid between two moments
        counted from now."""
        name = self.folder / str(uuid.uuid4())
        key = key or new_key(name.with_suffix(".key"))
        crt, extensions = name.with_suffix(".crt"), name.with_suffix(".ext")
        request = name.with_suffix(".csr")
        openssl("req", "-new", "-key", key, "-subj", "/", "-out", request)
        extensions.write_text(
            f"basicConstraints=critical,CA:{'TRUE' if ca else 'FALSE'}\n"
            "keyUsage=critical,digitalSignature\n"
            f"extendedKeyUsage={usage}\nsubjectAltName=critical,{san}\n")
        now = datetime.datetime.now(datetime.timezone.utc)
        start, end = (
            (now + datetime.timedelta(seconds=s)).strftime("%Y%m%d%H%M%SZ")
            for s in (start_s, end_s))
        openssl("ca", "-batch", "-notext", "-config", self.config, "-cert",
                self.certificate, "-keyfile", self.key, "-in", request, "-out",
                crt, "-startdate", start, "-enddate", end, "-extfile",
                extensions)
        return crt, key


def new_key(path):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-out", path)
    pathlib.Path(path).chmod(0o600)
    return path


def uri_of(cluster_id):
    return f"spiffe://test.example/cluster/{cluster_id}"


def ends_in(service, client, seconds):
    """A certificate of the client's registered key that ends so soon."""
    return Authority.of(service, "cluster").issue(
        f"URI:{uri_of(client.cluster_id)}", key=client.tls_key, end_s=seconds)


def request_for(key, *extra, subject="/"):
    return openssl("req", "-new", "-key", key, "-subj", subject, "-outform",
                   "DER", *extra)


def bad_requests(key, another):
    """(reason, request) of what may not be asked for; `another`: an ID."""
    return [
        ("CSR_CA_NOT_ALLOWED", request_for(
            key, "-addext", "basicConstraints=critical,CA:TRUE")),
        ("CSR_IDENTITY_NOT_ALLOWED", request_for(
            key, "-addext", f"subjectAltName=URI:{uri_of(another)}")),
        ("CSR_IDENTITY_NOT_ALLOWED", request_for(
            key, "-addext", "subjectAltName=DNS:localhost")),
        ("CSR_IDENTITY_NOT_ALLOWED", request_for(
            key, subject=f"/CN={another}")),
        ("CSR_MALFORMED", request_for(key)[:-1]),
    ]


class Renewed:
    """What RenewCertificate or RecoverCertificate answered, as files."""

    def __init__(self, folder, key, answer):
        self.key = key
        self.cert = pathlib.Path(folder) / f"{uuid.uuid4()}.crt"
        self.cert.write_bytes(pem(answer.cluster_certificate)
                              + b"".join(map(pem, answer.ca_chain)))
        self.password = answer.password


def renew(service, cert, key):
    """With the identity of these files."""
    fresh = new_key(service.folder / f"{uuid.uuid4()}.key")
    answer = service.cluster(cert, key).RenewCertificate(
        identity_pb2.RenewCertificateRequest(
            certificate_signing_request=request_for(fresh)),
        timeout=pair.PATIENCE_S)
    return Renewed(service.folder, fresh, answer)


def recovery(cluster_id, password, request, proof=None):
    """`proof`: the files of the certificate and key before."""
    made = identity_pb2.RecoverCertificateRequest(
        user_name=f"cluster-{cluster_id}", password=password,
        certificate_signing_request=request)
    if proof:
        cert, key = proof
        made.previous_certificate = openssl("x509", "-in", cert, "-outform",
                                            "DER")
        made.previous_key_signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", str(key)], input=request,
            capture_output=True, check=True).stdout
    return made
