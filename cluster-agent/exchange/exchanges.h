// All exchanges of one agent with its service, and in which order they begin.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_EXCHANGES_H_
#define MC_CLUSTER_AGENT_EXCHANGE_EXCHANGES_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/documents/key_ring.h"
#include "cluster-agent/domain/events/clock_watch.h"
#include "cluster-agent/domain/events/connection_watch.h"
#include "cluster-agent/domain/events/event_sink.h"
#include "cluster-agent/domain/health/health_builder.h"
#include "cluster-agent/domain/license/license_keeper.h"
#include "cluster-agent/domain/mastership/other_master.h"
#include "cluster-agent/domain/proxy/proxy.h"
#include "cluster-agent/exchange/cluster_link.h"
#include "cluster-agent/exchange/enrollment.h"
#include "cluster-agent/exchange/heartbeats.h"
#include "cluster-agent/exchange/identity_keeper.h"
#include "cluster-agent/exchange/in_flight.h"
#include "cluster-agent/exchange/periodic_exchange.h"
#include "cluster-agent/exchange/reports.h"
#include "cluster-agent/exchange/status_board.h"
#include "cluster-agent/outbox/outbox.h"
#include "missioncontrol/v1/cluster_service.grpc.pb.h"

namespace mc::agent {

// Install and Register until they are answered; then the license, first of all
// and again after each time that the service could not be reached; then all
// the others. Thread-safe.
class Exchanges {
 public:
  struct Options {
    // Checked, with defaults; outlives this. So do all that follow.
    const missioncontrol::config::v1::AgentConfig* values = nullptr;
    Clock* clock = nullptr;
    TimerQueue* timers = nullptr;
    Executor* executor = nullptr;
    SharedState* state = nullptr;
    Outbox* outbox = nullptr;
    StatusBoard* board = nullptr;
    OtherMaster* other_master = nullptr;
    LicenseKeeper* license = nullptr;
    // May be null, all three.
    EventSink* events = nullptr;
    ConnectionWatch* connection_watch = nullptr;
    ClockWatch* clock_watch = nullptr;
    HealthSources health;
    // A secret.
    std::string license_key;
    EnrollmentTokenSource enrollment_token = {};
    // Empty: the system's CAs. Later ones are read from service.ca_file.
    std::string root_pem;
    ProxySettings proxy;
    // Random, new at every start.
    std::string agent_instance_id;
  };

  // The error says what is wrong with the certificates or the kept state.
  static absl::StatusOr<std::unique_ptr<Exchanges>> Create(Options options);

  // Begins. May be called once.
  void Start();
  // Something new may wait in the outbox.
  void WakeReports();
  // The product may have another version now.
  void CheckVersion();
  // Ends the streams in order, waits for them until `grace` has passed, and
  // then cancels what is left. Nothing is started any more.
  void Stop(absl::Duration grace);

 private:
  explicit Exchanges(Options options)
      : options_(std::move(options)), root_pem_(options_.root_pem) {}

  absl::Status Prepare();
  Pacer::Options PacerFor(const google::protobuf::Duration* interval) const;
  std::unique_ptr<PeriodicExchange> Make(
      Exchange exchange, const google::protobuf::Duration* interval,
      void (Exchanges::*attempt)(PeriodicExchange::Done));
  absl::StatusOr<std::shared_ptr<grpc::Channel>> ChannelTo(
      const std::string& address, const std::string& chain_pem,
      const std::string& key_pem) const ABSL_LOCKS_EXCLUDED(mutex_);
  std::string root_pem() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Connects with the registered certificate.
  absl::Status BeginClusterExchanges() ABSL_LOCKS_EXCLUDED(mutex_);
  void OpenStreams() ABSL_LOCKS_EXCLUDED(mutex_);

  // exchanges_identity.cc
  void PrepareIdentity();
  // The streams go over to the link in use.
  void MoveStreams();
  // Not OK: nothing is exchanged from now on. OK: it begins again.
  void Halt(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status halted() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool HandshakeRefused(const std::string& chain_pem,
                        const std::string& key_pem);
  // Looks at service.ca_file at intervals.
  void WatchRoots();
  void ReadRoots() ABSL_LOCKS_EXCLUDED(mutex_);
  void Obey(const missioncontrol::v1::Directive& directive);

  // What the end of a call says about the connection.
  void Note(const std::string& address, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Finds out what is wrong with the way through the proxy, if there is one;
  // in the background, and once at a time.
  void FindCause(const std::string& address);
  void NoteEnrollment(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  void Install(PeriodicExchange::Done done);
  void Register(PeriodicExchange::Done done);
  void CheckLicense(PeriodicExchange::Done done);
  void CheckHealth(PeriodicExchange::Done done);
  void CheckUpdates(PeriodicExchange::Done done);
  // Before anything is sent that was used: it tells the outbox what time it is.
  void NoteServiceTime(const missioncontrol::v1::CheckLicenseResponse& answer);
  void CompareClocks(absl::Time sent,
                     const missioncontrol::v1::CheckLicenseResponse& answer);
  std::vector<missioncontrol::v1::StreamHeartbeatsRequest> Beats() const;

  const Options options_;
  InFlight in_flight_;
  std::atomic<bool> finding_cause_ = false;
  std::unique_ptr<Enrollment> enrollment_;
  std::unique_ptr<PeriodicExchange> installation_;
  std::unique_ptr<PeriodicExchange> registration_;
  std::unique_ptr<PeriodicExchange> license_;
  std::unique_ptr<PeriodicExchange> health_;
  std::unique_ptr<PeriodicExchange> updates_;

  mutable absl::Mutex mutex_;
  std::string root_pem_ ABSL_GUARDED_BY(mutex_);
  bool root_problem_told_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status halted_ ABSL_GUARDED_BY(mutex_);
  bool registered_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool updates_begun_ ABSL_GUARDED_BY(mutex_) = false;
  KeyRing document_keys_;
  CurrentLink links_;
  std::unique_ptr<IdentityKeeper> identity_;
  // Made once, when the cluster is registered; then they stay.
  std::unique_ptr<Heartbeats> heartbeats_;
  std::unique_ptr<Reports> reports_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_EXCHANGES_H_
