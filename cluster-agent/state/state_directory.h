// What the agent keeps on disk besides usage: who it is, its keys, and what
// the service told it last.
#ifndef MC_CLUSTER_AGENT_STATE_STATE_DIRECTORY_H_
#define MC_CLUSTER_AGENT_STATE_STATE_DIRECTORY_H_

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/state/directory_lock.h"
#include "common/crypto/key.h"
#include "missioncontrol/config/v1/agent_state.pb.h"

namespace mc::agent {

// The names of the files, all in one directory that only its owner may enter.
namespace state_files {
inline constexpr char kClusterId[] = "cluster-id";  // UUID
inline constexpr char kNodeId[] = "node-id";        // UUID
inline constexpr char kTlsKey[] = "tls.key";        // ECDSA P-256, PEM
inline constexpr char kSiteKey[] = "site.key";      // Ed25519, PEM
inline constexpr char kRequest[] = "request.der";   // PKCS #10 of tls.key
inline constexpr char kCertificate[] = "tls.crt";   // PEM, leaf first
inline constexpr char kRegistration[] = "registration.json";
inline constexpr char kRenewal[] = "renewal.json";
inline constexpr char kInstallation[] = "installed.json";
inline constexpr char kLicense[] = "license.json";
inline constexpr char kContact[] = "contact.json";
}  // namespace state_files

// The state directory, held by one agent at a time.
//
// Every file is replaced as a whole and is durable when its function returns.
// A file that is damaged, that others may read, or that is missing although a
// later one exists is FAILED_PRECONDITION or DATA_LOSS, with its path and what
// to do; it is never replaced by itself, for a new key would be a new identity.
//
// Thread-compatible; the const functions may run at the same time.
class StateDirectory {
 public:
  struct Options {
    std::string path;
    // Told the name of each file that the first start made, when it is
    // durable; an error ends Open there. For tests of a start that is cut off.
    std::function<absl::Status(const std::string& name)> on_created = {};
    // The same for each file that a renewal writes or removes.
    std::function<absl::Status(const std::string& name)> on_renewal = {};
  };

  // Makes the directory when it is missing, locks it, and makes what the first
  // start needs in the order cluster ID, node ID, TLS key, site key, request:
  // a start that is cut off anywhere is finished by the next one, with what
  // the first one made. A missing request alone is made again. A renewal that
  // was confirmed is finished.
  static absl::StatusOr<StateDirectory> Open(const std::string& path) {
    return Open(Options{.path = path});
  }
  static absl::StatusOr<StateDirectory> Open(const Options& options);

  const std::string& path() const { return path_; }
  const std::string& cluster_id() const { return cluster_id_; }
  const std::string& node_id() const { return node_id_; }
  // The key of the cluster's certificate.
  const PrivateKey& tls_key() const { return *tls_key_; }
  // Signs what must outlive TLS keys.
  const PrivateKey& site_key() const { return *site_key_; }
  // PKCS #10 in DER for tls_key, with an empty subject.
  const std::string& request_der() const { return request_der_; }

  // Each is absent until it was saved.
  absl::StatusOr<std::optional<missioncontrol::config::v1::AgentRegistration>>
  LoadRegistration() const;
  // PEM, the cluster's certificate first, then its issuers.
  absl::StatusOr<std::optional<std::string>> LoadCertificateChain() const;
  absl::StatusOr<std::optional<missioncontrol::config::v1::AgentInstallation>>
  LoadInstallation() const;
  absl::StatusOr<std::optional<missioncontrol::config::v1::AgentLicense>>
  LoadLicense() const;
  absl::StatusOr<std::optional<missioncontrol::config::v1::AgentContact>>
  LoadContact() const;

  // The first time the certificates first: whoever finds a registration finds
  // them; then the registration first, for the password before is worth
  // nothing. Refuses what the Load functions would call damaged, and a first
  // certificate for another key than tls_key. A renewal under way is gone
  // before: whatever it holds is worth nothing after a registration.
  absl::Status SaveRegistration(
      const missioncontrol::config::v1::AgentRegistration& registration,
      const std::string& certificate_chain_pem);
  absl::Status SaveInstallation(
      const missioncontrol::config::v1::AgentInstallation& installation);
  absl::Status SaveLicense(
      const missioncontrol::config::v1::AgentLicense& license);
  absl::Status SaveContact(
      const missioncontrol::config::v1::AgentContact& contact);
  // In place of the document keys of the registration, which there must be.
  absl::Status SaveDocumentKeys(
      const std::vector<missioncontrol::v1::DocumentKey>& keys);

  // A certificate on its way into the place of the present one. Two phases:
  // until the service has accepted a call with the new one, the present one
  // stays what it is; from then on the new one takes its place, and a start
  // finishes what was cut off.
  //
  // The renewal under way; absent: none.
  absl::StatusOr<std::optional<missioncontrol::config::v1::AgentRenewal>>
  LoadRenewal() const;
  // The same of a directory that another process may hold.
  static absl::StatusOr<std::optional<missioncontrol::config::v1::AgentRenewal>>
  ReadRenewal(const std::string& directory);
  // Begins one with a new key, or gives what is under way, so that the service
  // is asked for the same key until it has answered. It is written in any case:
  // on a disk that is full nothing is asked for that could not be kept.
  absl::StatusOr<missioncontrol::config::v1::AgentRenewal> DrawRenewal(
      absl::Time now);
  // Keeps what the service answered. FAILED_PRECONDITION where the certificate
  // is for another key than the renewal's.
  absl::Status KeepRenewal(const std::string& certificate_chain_pem,
                           const std::string& password, absl::Time now);
  // The service does not take its certificate: begins anew with another key,
  // but keeps the password, which may be the one that is good.
  absl::Status RejectRenewal(absl::Time now);
  // The service has accepted it: it takes the place of tls_key, of the
  // certificates and of the password. Called again it goes on where it failed.
  absl::Status ConfirmRenewal();

  // Where a file of the directory is, for credentials that read it themselves.
  std::string FilePath(const std::string& name) const;

 private:
  StateDirectory(const Options& options, DirectoryLock lock)
      : path_(options.path),
        on_renewal_(options.on_renewal),
        lock_(std::move(lock)) {}

  absl::Status LoadIdentity(const Options& options);
  // Where a confirmed renewal was cut off.
  absl::Status FinishRenewal();
  absl::Status WriteRenewal(
      const missioncontrol::config::v1::AgentRenewal& renewal);
  absl::Status SaveRenewal(
      const missioncontrol::config::v1::AgentRenewal& renewal);
  // Durable when it returns, or already gone.
  absl::Status RemoveRenewal();
  absl::Status WriteRenewed(const std::string& name, const std::string& text);

  std::string path_;
  std::function<absl::Status(const std::string& name)> on_renewal_;
  DirectoryLock lock_;
  std::string cluster_id_;
  std::string node_id_;
  std::optional<PrivateKey> tls_key_;
  std::optional<PrivateKey> site_key_;
  std::string request_der_;
};

// The state directory for several threads: writers one after the other.
struct SharedState {
  StateDirectory* directory = nullptr;
  absl::Mutex mutex;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_STATE_STATE_DIRECTORY_H_
