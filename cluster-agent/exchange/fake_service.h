// A small service on real TLS, which answers as a test tells it.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_FAKE_SERVICE_H_
#define MC_CLUSTER_AGENT_EXCHANGE_FAKE_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/crypto/authority.h"
#include "common/crypto/document.h"
#include "missioncontrol/v1/cluster_service.grpc.pb.h"

namespace mc::agent {

// Thread-safe. The cluster listener alone: it demands a client certificate of
// its CA, which every channel() has.
class FakeService {
 public:
  // What the streams do; see below.
  struct Script {
    // The receipt for a report; null: none is sent. Absent: Accepted().
    std::function<std::unique_ptr<missioncontrol::v1::ReportReceipt>(
        const missioncontrol::v1::ReportEnvelope&, const std::string& bytes)>
        receipt;
    // In Welcome.
    uint64_t service_epoch = 1;
    std::vector<missioncontrol::v1::LaneMark> marks;
    missioncontrol::v1::Pacing pacing;
    // Unless OK, a stream of reports ends so at its first report.
    grpc::Status end_reports;
    bool answer_beats = true;
    // Unless OK, a stream of heartbeats ends so at its first beat.
    grpc::Status end_heartbeats;
  };

  explicit FakeService(const std::string& cluster_id);
  ~FakeService();

  // With the cluster's certificate.
  std::shared_ptr<grpc::Channel> channel() const { return channel_; }
  const DocumentSigner& signer() const { return signer_; }

  void Set(Script script) ABSL_LOCKS_EXCLUDED(mutex_);

  // What came so far; each waits until there are `enough`, a minute at
  // most.
  std::vector<missioncontrol::v1::Hello> Hellos(size_t enough);
  // The bytes of every report, in their order.
  std::vector<std::string> Reports(size_t enough);
  std::vector<missioncontrol::v1::StreamHeartbeatsRequest> Beats(size_t enough);
  // Streams that are over.
  int64_t EndedReports(int64_t enough);
  int64_t EndedHeartbeats(int64_t enough);

  // An acceptance, as the service signs it.
  std::unique_ptr<missioncontrol::v1::ReportReceipt> Accepted(
      const missioncontrol::v1::ReportEnvelope& report,
      const std::string& bytes) const;

 private:
  class Service;
  class ReportsReactor;
  class HeartbeatsReactor;

  template <typename T>
  std::vector<T> WaitFor(std::vector<T> FakeService::*values, size_t enough)
      ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t WaitFor(int64_t FakeService::*count, int64_t enough)
      ABSL_LOCKS_EXCLUDED(mutex_);
  Script script() const ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string cluster_id_;
  const DocumentSigner signer_;
  mutable absl::Mutex mutex_;
  Script script_ ABSL_GUARDED_BY(mutex_);
  std::vector<missioncontrol::v1::Hello> hellos_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> reports_ ABSL_GUARDED_BY(mutex_);
  std::vector<missioncontrol::v1::StreamHeartbeatsRequest> beats_
      ABSL_GUARDED_BY(mutex_);
  int64_t ended_reports_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t ended_heartbeats_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_FAKE_SERVICE_H_
