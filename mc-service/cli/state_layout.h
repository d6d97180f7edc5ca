// Where everything is in the state directory that `mc-service init` makes.
#ifndef MC_SERVICE_CLI_STATE_LAYOUT_H_
#define MC_SERVICE_CLI_STATE_LAYOUT_H_

#include <string>
#include <string_view>

namespace mc::service {

// A certificate (or chain) and its key, both PEM.
struct CertificateFiles {
  std::string certificate;
  std::string key;
};

class StateLayout {
 public:
  explicit StateLayout(std::string directory)
      : directory_(std::move(directory)) {}

  const std::string& directory() const { return directory_; }

  std::string ConfigFile() const { return In("mc-service.yaml"); }
  std::string McctlConfigFile() const { return In("mcctl.yaml"); }
  std::string StoreFile() const { return In("store.db"); }
  // Ed25519, PEM: signs licenses, releases and receipts.
  std::string DocumentKeyFile() const { return In("keys/documents.key"); }
  // The public keys so far and who vouches for them, as JSON; absent before
  // the first rotation.
  std::string DocumentKeyHistoryFile() const {
    return In("keys/document-keys.json");
  }
  // While a rotation is under way.
  std::string NextDocumentKeyFile() const {
    return In("keys/documents.key.next");
  }
  // The ports that the running service listens on, as JSON: an object with
  // "enrollment", "cluster", "operator" and "metrics". It is there while the
  // service runs; useful where the configuration says port 0.
  std::string PortsFile() const { return In("ports.json"); }

  CertificateFiles ServerCa() const { return Pair("ca/server-ca"); }
  CertificateFiles ClusterCa() const { return Pair("ca/cluster-ca"); }
  CertificateFiles OperatorCa() const { return Pair("ca/operator-ca"); }
  // The certificates of authorities that others have followed, and how long
  // they are trusted, as JSON; absent before the first rotation. `ca` is one of
  // the above.
  static std::string PreviousAuthoritiesFile(const CertificateFiles& ca) {
    return WithoutEnding(ca.certificate) + ".previous.json";
  }
  // While a rotation is under way.
  static CertificateFiles NextAuthority(const CertificateFiles& ca) {
    const std::string name = WithoutEnding(ca.certificate) + ".next";
    return {name + ".crt", name + ".key"};
  }
  // What agents trust while the server CA changes: the old one and the new one.
  std::string ServerCaBundle() const { return In("ca/server-ca.bundle.crt"); }
  // What the listeners show unless they have their own.
  CertificateFiles ServerCertificate() const { return Pair("server/server"); }
  // The operator that `init` makes.
  CertificateFiles Admin() const { return Pair("operator/admin"); }
  // A copy of the server CA's certificate, for mcctl.
  std::string OperatorTrustFile() const { return In("operator/ca.crt"); }

 private:
  static std::string WithoutEnding(const std::string& file) {
    return file.substr(0, file.rfind('.'));
  }
  std::string In(std::string_view name) const {
    return directory_ + "/" + std::string(name);
  }
  CertificateFiles Pair(const std::string& name) const {
    return {In(name + ".crt"), In(name + ".key")};
  }

  std::string directory_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_STATE_LAYOUT_H_
