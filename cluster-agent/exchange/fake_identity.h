// A small service on real TLS that certifies, renews and recovers one cluster,
// by the contract's rules and a simulated clock.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_FAKE_IDENTITY_H_
#define MC_CLUSTER_AGENT_EXCHANGE_FAKE_IDENTITY_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/crypto/authority.h"
#include "common/time/clock.h"
#include "missioncontrol/config/v1/agent_state.pb.h"
#include "missioncontrol/v1/cluster_service.grpc.pb.h"
#include "missioncontrol/v1/enrollment_service.grpc.pb.h"

namespace mc::agent {

// Thread-safe. Both listeners. Dates are judged by the simulated clock and not
// in the handshake, so that months pass in seconds.
class FakeIdentity {
 public:
  FakeIdentity(const std::string& cluster_id, const Clock* clock,
               absl::Duration lifetime);
  ~FakeIdentity();

  // What a registration of this key would have answered.
  struct Registered {
    missioncontrol::config::v1::AgentRegistration registration;
    std::string chain_pem;
  };
  Registered Register(const std::string& spki_der) ABSL_LOCKS_EXCLUDED(mutex_);

  std::shared_ptr<grpc::Channel> enrollment() const;
  // With this certificate.
  std::shared_ptr<grpc::Channel> cluster(const std::string& chain_pem,
                                         const std::string& key_pem) const;

  // Unless OK, every call of a cluster is refused so, and with good credentials
  // every recovery.
  void Refuse(const grpc::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // What was issued and not used: the service was restored from a backup.
  void ForgetPending() ABSL_LOCKS_EXCLUDED(mutex_);
  // The key that is asked for next is refused for good.
  void GiveUpNextKey() ABSL_LOCKS_EXCLUDED(mutex_);
  // Makes of each good certificate what is answered; empty: that one.
  using Forge = std::function<std::string(std::string certificate_der)>;
  void AnswerWith(Forge forge) ABSL_LOCKS_EXCLUDED(mutex_);
  // Licenses are answered only when this is called again with false.
  void Hold(bool held) ABSL_LOCKS_EXCLUDED(mutex_);
  // No password is good any more.
  void ForgetPasswords() ABSL_LOCKS_EXCLUDED(mutex_);
  // The next `calls` are done, but their answers are lost.
  void LoseAnswers(int calls) ABSL_LOCKS_EXCLUDED(mutex_);
  // The next `calls` are not even done.
  void LoseRequests(int calls) ABSL_LOCKS_EXCLUDED(mutex_);

  struct Counts {
    int renewals = 0;
    int recoveries = 0;
    // With a proof of the previous key.
    int proofs = 0;
    int refused_passwords = 0;
    int refused_keys = 0;
    // Licenses that were asked for and may wait for their answer.
    int proven = 0;
    // Calls that an older or unknown certificate came with.
    int refused_certificates = 0;
    std::string last_instance_id;
    std::set<std::string> keys;
  };
  Counts counts() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Cluster;
  class Enrollment;

  grpc::Status Guard(const grpc::ServerContext& context)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes the answer to a request; it is pending until it is used.
  template <typename Response>
  grpc::Status Issue(const std::string& request_der, Response* response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Before and after a call, what it ends with instead.
  grpc::Status Before() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  grpc::Status After() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string Certify(const std::string& spki_der)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string cluster_id_;
  const Clock* const clock_;
  const absl::Duration lifetime_;
  mutable absl::Mutex mutex_;
  // Digests of the keys, and passwords.
  std::string used_key_ ABSL_GUARDED_BY(mutex_);
  std::string pending_key_ ABSL_GUARDED_BY(mutex_);
  std::string used_password_ ABSL_GUARDED_BY(mutex_);
  std::string pending_password_ ABSL_GUARDED_BY(mutex_);
  int drawn_ ABSL_GUARDED_BY(mutex_) = 0;
  int lose_answers_ ABSL_GUARDED_BY(mutex_) = 0;
  int lose_requests_ ABSL_GUARDED_BY(mutex_) = 0;
  grpc::Status refusal_ ABSL_GUARDED_BY(mutex_);
  bool gives_up_next_ ABSL_GUARDED_BY(mutex_) = false;
  std::string given_up_ ABSL_GUARDED_BY(mutex_);
  Forge forge_ ABSL_GUARDED_BY(mutex_);
  bool free_ ABSL_GUARDED_BY(mutex_) = true;
  Counts counts_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<CertificateAuthority> authority_;
  std::string server_ca_pem_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Enrollment> enrollment_;
  int cluster_port_ = 0;
  int enrollment_port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_FAKE_IDENTITY_H_
