// A small master on real TLS, which answers as a test tells it.
#ifndef MC_CLUSTER_AGENT_NODE_FAKE_MASTER_H_
#define MC_CLUSTER_AGENT_NODE_FAKE_MASTER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/crypto/authority.h"
#include "common/time/clock.h"
#include "missioncontrol/v1/site_service.grpc.pb.h"

namespace mc::agent {

// Thread-safe. It keeps no registry: whoever has its token may join, and every
// certificate of its CA is good until a Script says otherwise.
class FakeMaster {
 public:
  struct Script {
    // Unless OK, how Join ends.
    grpc::Status join;
    // Unless OK, how RenewNodeCertificate ends.
    grpc::Status renew;
    // Unless OK, a stream ends so at its Hello.
    grpc::Status end_at_hello;
    // Unless OK, a stream ends so at its next report.
    grpc::Status end_at_report;
    bool answer_hello = true;
    bool answer_reports = true;
    absl::Duration report_interval = absl::Minutes(1);
    // Of the certificates that it issues.
    absl::Duration lifetime = absl::Hours(168);
    // Streams with the certificate of this serial end with `refuse_with`.
    std::string refused_serial;
    grpc::Status refuse_with;
  };

  // The wall clock of what it issues; must be near the real one, for TLS looks
  // at that.
  explicit FakeMaster(const Clock* clock);
  ~FakeMaster();

  std::string join_address() const;
  std::string node_address() const;
  std::string token() const;
  const CertificateAuthority& ca() const { return ca_; }
  const std::string& cluster_id() const { return cluster_id_; }

  void Set(const Script& script) ABSL_LOCKS_EXCLUDED(mutex_);
  // Both ports are closed, as by a kill.
  void Stop();

  struct Greeting {
    missioncontrol::v1::NodeHello hello;
    // Of the certificate that the node showed.
    std::string serial_hex;
  };
  // What came so far.
  std::vector<missioncontrol::v1::JoinRequest> Joins() const;
  std::vector<missioncontrol::v1::RenewNodeCertificateRequest> Renewals() const;
  std::vector<Greeting> Greetings() const;
  std::vector<missioncontrol::v1::NodeReport> Reports() const;

 private:
  class Service;
  class ReportsReactor;

  Script script() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::string Issue(const std::string& request_der,
                    const std::string& node_id) const;

  const Clock* const clock_;
  const std::string cluster_id_;
  const CertificateAuthority ca_;
  const std::string secret_;
  mutable absl::Mutex mutex_;
  Script script_ ABSL_GUARDED_BY(mutex_);
  std::vector<missioncontrol::v1::JoinRequest> joins_ ABSL_GUARDED_BY(mutex_);
  std::vector<missioncontrol::v1::RenewNodeCertificateRequest> renewals_
      ABSL_GUARDED_BY(mutex_);
  std::vector<Greeting> greetings_ ABSL_GUARDED_BY(mutex_);
  std::vector<missioncontrol::v1::NodeReport> reports_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
  int join_port_ = 0;
  int node_port_ = 0;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_NODE_FAKE_MASTER_H_
