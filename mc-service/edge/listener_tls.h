// TLS of the service's listeners, and the authorities behind it, as their files
// change.
#ifndef MC_SERVICE_EDGE_LISTENER_TLS_H_
#define MC_SERVICE_EDGE_LISTENER_TLS_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/crypto/authority.h"
#include "common/metrics/metrics.h"
#include "common/time/clock.h"
#include "common/tls/identity_cache.h"
#include "common/tls/reloading_credentials.h"
#include "mc-service/cli/authorities.h"
#include "mc-service/cli/state_layout.h"
#include "mc-service/edge/handshake_check.h"
#include "mc-service/edge/policy.h"
#include "missioncontrol/config/v1/service.pb.h"

namespace mc::service {

// Not thread-safe: listeners are added first, then one thread at a time polls.
// It outlives the servers that use its credentials.
class ListenerTls {
 public:
  struct Options {
    StateLayout state{""};
    std::string trust_domain;
    PeerIdentityCache* identities = nullptr;
    // Whether a cluster was revoked; see HandshakeCheck.
    std::function<bool(std::string_view cluster_id)> revoked;
    const Clock* clock = nullptr;
    Metrics* metrics = nullptr;
  };

  explicit ListenerTls(Options options);

  // The credentials of a listener: its certificate, and the authorities of its
  // clients where it has identified ones. Errors of reading the files, of
  // TrustedAuthorities and of ReloadingServerCredentials.
  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Add(
      Listener listener, const missioncontrol::config::v1::Listener& settings);

  // Keeps `authority`, which outlives this object, the one that issues by the
  // files. It issues with a new key when listeners have trusted that for a
  // while.
  void Follow(AuthorityKind kind, CertificateAuthority* authority);

  // Looks at the files again. What is good is used from the next handshakes on;
  // what is broken, twice in a row, is logged and counted, and what there was
  // before goes on. It reads small files. At this interval.
  void Poll();
  static constexpr absl::Duration kPollInterval = absl::Seconds(2);

 private:
  struct Entry {
    Listener listener;
    std::string certificate_file;
    std::string key_file;
    // Absent: clients show no certificates.
    std::optional<AuthorityKind> clients;
    std::unique_ptr<HandshakeCheck> check;
    std::unique_ptr<ReloadingServerCredentials> credentials;
    // Of the files' contents: those that are used, those that were broken when
    // they were last looked at, and whether that was told.
    std::string used;
    std::string broken;
    bool told = false;
    prometheus::Gauge* refused = nullptr;
  };
  struct Issuer {
    AuthorityKind kind;
    CertificateAuthority* authority;
    // The certificate that was there at the last look.
    std::string seen;
  };

  absl::StatusOr<ServerTls> Read(const Entry& entry) const;
  void Reload(Entry& entry);
  void Complain(Entry& entry, const std::string& digest,
                const absl::Status& status);
  void Follow(Issuer& issuer);
  void ShowEnds(const Entry& entry, const ServerTls& tls);

  const Options options_;
  prometheus::Family<prometheus::Counter>& reloads_;
  prometheus::Family<prometheus::Gauge>& refused_;
  std::vector<Entry> entries_;
  std::vector<Issuer> issuers_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_LISTENER_TLS_H_
