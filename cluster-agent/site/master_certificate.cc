#include "cluster-agent/site/master_certificate.h"

#include <string>

#include "common/log/log.h"
#include "common/time/proto_time.h"

namespace mc::agent {

absl::StatusOr<std::optional<ServerTls>> MasterCertificate::Next() {
  const absl::Time now = clock_->Now();
  absl::MutexLock lock(&mutex_);
  if (now >= not_before_ && now < renew_at_) return std::nullopt;
  const absl::StatusOr<ServerCertificate> issued = authority_->IssueServer(now);
  if (!issued.ok()) {
    LogError("the master's certificate for its site cannot be renewed",
             {{"detail", std::string(issued.status().message())}});
    return issued.status();
  }
  not_before_ = issued->not_before;
  renew_at_ = now + (issued->not_after - now) / 2;
  LogInfo("the master has a new certificate for its site",
          {{"not_after", FormatUtc(issued->not_after)}});
  return ServerTls{issued->cert_pem, issued->key_pem, authority_->ca_pem()};
}

}  // namespace mc::agent
