"""Certificates that the service's own authorities never would issue."""

import datetime
import uuid

from test_foreign_client import openssl

# openssl ca can choose the dates of a certificate.
CONFIG = """
[ca]
default_ca = here
[here]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
email_in_dn = no
unique_subject = no
[any]
commonName = optional
"""


class Authority:
    """Of the files of an authority; without them, one that nobody trusts."""

    def __init__(self, folder, cert=None, key=None):
        self.folder = folder / f"authority-{uuid.uuid4()}"
        self.folder.mkdir()
        self.cert, self.key = cert, key
        if cert is None:
            self.cert, self.key = (self.folder / f"ca.{kind}"
                                   for kind in ("crt", "key"))
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key,
                    "-out", self.cert, "-subj", "/CN=another", "-days", "10")
        (self.folder / "index.txt").touch()
        self.config = self.folder / "ca.cnf"
        self.config.write_text(CONFIG.format(folder=self.folder))

    def issue(self, uri=None, dns=None, key=None, days=(-1, 1), ca=False):
        """The files of a certificate, for a client's URI or a server's DNS name
        and valid between two days from now, and of its key."""
        name = str(uuid.uuid4())
        if key is None:
            key = self.folder / f"{name}.key"
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-out", key)
            key.chmod(0o600)
        csr, cert, extensions = (self.folder / f"{name}.{kind}"
                                 for kind in ("csr", "crt", "ext"))
        openssl("req", "-new", "-key", key, "-subj", "/CN=x", "-out", csr)
        extensions.write_text(
            f"basicConstraints=critical,CA:{'TRUE' if ca else 'FALSE'}\n"
            f"extendedKeyUsage={'clientAuth' if uri else 'serverAuth'}\n"
            f"subjectAltName={f'URI:{uri}' if uri else f'DNS:{dns}'}\n"
            "authorityKeyIdentifier=keyid\n")
        now = datetime.datetime.utcnow()
        start, end = ((now + datetime.timedelta(days=d)).strftime(
            "%y%m%d%H%M%SZ") for d in days)
        openssl("ca", "-batch", "-config", self.config, "-cert", self.cert,
                "-keyfile", self.key, "-in", csr, "-out", cert, "-notext",
                "-startdate", start, "-enddate", end, "-extfile", extensions)
        return cert, key
