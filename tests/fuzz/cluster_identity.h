// A cluster that renews, recovers and uses its identity as it is told, and what
// must hold of the answers.
#ifndef TESTS_FUZZ_CLUSTER_IDENTITY_H_
#define TESTS_FUZZ_CLUSTER_IDENTITY_H_

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "mc-service/domain/enrollment/renewal_desk.h"
#include "missioncontrol/v1/identity.pb.h"

namespace mc::fuzz {

// What leaves the service is told in the terms of the contract, and without
// secrets.
void CheckRefusal(const absl::Status& status);

// A key of the cluster, as its handshakes show it.
struct Identity {
  std::string digest;
  std::string serial;
  absl::Time not_after;
};

// Of a certificate that was issued for the request: it must be of its key and
// of the cluster.
Identity CheckCertificate(std::string_view certificate_der,
                          std::string_view request_der,
                          std::string_view cluster_id);

class ClusterIdentity {
 public:
  ClusterIdentity(service::RenewalDesk* desk, absl::Time now);

  // What is in use; at first that of kClusterKey, with kPassword.
  const Identity& own() const { return own_; }

  void Renew(const missioncontrol::v1::RenewCertificateRequest& request);
  void Recover(const missioncontrol::v1::RecoverCertificateRequest& request);
  // With what was issued last, where it was not used yet.
  void Connect();

 private:
  absl::Status Use(const Identity& identity);
  void Issued(const std::string& certificate, const std::string& request,
              const std::string& password);

  service::RenewalDesk* const desk_;
  Identity own_;
  std::set<std::string> used_;
  std::set<std::string> passwords_;
  std::optional<Identity> issued_;
  // It is new, and was asked for with the key that is in use.
  bool follows_own_ = false;
};

}  // namespace mc::fuzz

#endif  // TESTS_FUZZ_CLUSTER_IDENTITY_H_
