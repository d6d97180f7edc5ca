// For tests: a cluster, its service, and what of its agent keeps its identity.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_IDENTITY_FIXTURE_H_
#define MC_CLUSTER_AGENT_EXCHANGE_IDENTITY_FIXTURE_H_

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/synchronization/notification.h"
#include "cluster-agent/domain/events/recording_sink.h"
#include "cluster-agent/exchange/eventually.h"
#include "cluster-agent/exchange/fake_identity.h"
#include "cluster-agent/exchange/identity_keeper.h"
#include "common/files/temp_dir.h"
#include "common/time/proto_time.h"
#include "gtest/gtest.h"

namespace mc::agent {

inline constexpr absl::Duration kDay = absl::Hours(24);
inline constexpr char kInstance[] = "instance-1";

// Right, whatever this machine's clock says.
class VendorClock : public Clock {
 public:
  explicit VendorClock(const SimulatedClock* machine) : machine_(machine) {}
  void SetBehind(absl::Duration behind) {
    behind_s_ = absl::ToInt64Seconds(behind);
  }
  absl::Time Now() const override {
    return machine_->Now() - absl::Seconds(behind_s_.load());
  }
  absl::Duration SinceBoot() const override { return machine_->SinceBoot(); }
  absl::Duration LongestWait() const override {
    return machine_->LongestWait();
  }
  bool WaitUntil(absl::Mutex&, const absl::Condition&, absl::Time) override {
    std::abort();
  }

 private:
  const SimulatedClock* const machine_;
  std::atomic<int64_t> behind_s_ = 0;
};

// What of one process dies with it.
struct Process {
  Process(SimulatedClock* clock, FakeIdentity* service, StateDirectory opened)
      : directory(std::move(opened)), timers(clock), board(clock) {
    state.directory = &directory;
    enrollment = std::make_unique<Enrollment>(
        Enrollment::Options{.channel = service->enrollment(),
                            .in_flight = &in_flight,
                            .executor = &executor,
                            .license_key = "",
                            .agent_version = ""});
    const auto connect = [service](const std::string& chain,
                                   const std::string& key)
        -> absl::StatusOr<std::shared_ptr<ClusterLink>> {
      return std::make_shared<ClusterLink>(service->cluster(chain, key));
    };
    links.Set(*connect(**directory.LoadCertificateChain(),
                       directory.tls_key().ToPem()));
    keeper = std::make_unique<IdentityKeeper>(IdentityKeeper::Options{
        .clock = clock,
        .timers = &timers,
        .executor = &executor,
        .in_flight = &in_flight,
        .state = &state,
        .board = &board,
        .events = &events,
        .links = &links,
        .enrollment = enrollment.get(),
        .agent_instance_id = kInstance,
        .backoff = {.initial = absl::Seconds(1), .max = absl::Seconds(60)},
        .draw = [] { return 0.5; },
        .connect = connect,
        .handshake_refused =
            [this](const std::string&, const std::string&) {
              ++looks;
              return handshake_refused.load();
            },
        .on_moved = [this] { ++moves; },
        .on_stopped =
            [this](const absl::Status& why) {
              absl::MutexLock lock(&mutex);
              stopped = why;
            }});
  }
  ~Process() {
    in_flight.CancelAndWait();
    timers.Stop();
    executor.Shutdown();
  }

  StateDirectory directory;
  SharedState state;
  RecordingSink events;
  InFlight in_flight;
  Executor executor{2, 100};
  TimerQueue timers;
  StatusBoard board;
  CurrentLink links;
  std::unique_ptr<Enrollment> enrollment;
  std::atomic<int> moves = 0;
  std::atomic<int> looks = 0;
  std::atomic<bool> handshake_refused = false;
  absl::Mutex mutex;
  absl::Status stopped ABSL_GUARDED_BY(mutex);
  std::unique_ptr<IdentityKeeper> keeper;
};

class IdentityKeeperTest : public testing::Test {
 protected:
  IdentityKeeperTest() { Serve(kDay); }

  // A service that has registered the cluster.
  void Serve(absl::Duration lifetime) {
    StateDirectory state = Open();
    service_ =
        std::make_unique<FakeIdentity>(state.cluster_id(), &vendor_, lifetime);
    const auto registered = service_->Register(state.tls_key().PublicSpkiDer());
    EXPECT_TRUE(
        state.SaveRegistration(registered.registration, registered.chain_pem)
            .ok());
  }

  StateDirectory Open(
      std::function<absl::Status(const std::string&)> on_renewal = {}) {
    auto state = StateDirectory::Open(StateDirectory::Options{
        .path = dir_.File("state"), .on_renewal = std::move(on_renewal)});
    EXPECT_TRUE(state.ok()) << state.status();
    return *std::move(state);
  }
  void Start(std::function<absl::Status(const std::string&)> on_renewal = {}) {
    process_.reset();
    process_ = std::make_unique<Process>(&clock_, service_.get(),
                                         Open(std::move(on_renewal)));
    process_->keeper->Start();
  }

  missioncontrol::v1::GetStatusResponse Status() {
    missioncontrol::v1::GetStatusResponse status;
    process_->board.Registered();
    process_->board.Reached();
    process_->board.Fill(status);
    return status;
  }
  missioncontrol::v1::ExchangeStatus Row() {
    return Status().exchanges(static_cast<int>(Exchange::kCertificate));
  }
  absl::Time Next() {
    return FromProto(Row().next_attempt_at()).value_or(absl::InfinitePast());
  }
  // Until nothing is due any more.
  void Settle() {
    EXPECT_TRUE(Eventually([&] { return Next() > clock_.Now(); }));
  }
  // Time passes until the keeper has done `done` times what it does.
  bool Until(const std::function<bool()>& done) {
    return Eventually([&] {
      clock_.Advance(absl::Seconds(1));
      return done();
    });
  }
  // As every exchange does it.
  absl::Status Call() {
    absl::Status result;
    absl::Notification answered;
    namespace v1 = missioncontrol::v1;
    using Async = v1::ClusterService::StubInterface::async_interface;
    CallCluster<v1::CheckLicenseRequest, v1::CheckLicenseResponse>(
        &process_->links, &process_->in_flight, &process_->executor,
        &Async::CheckLicense, {}, absl::Seconds(20),
        [&](const absl::StatusOr<v1::CheckLicenseResponse>& answer) {
          result = answer.status();
          answered.Notify();
        });
    answered.WaitForNotification();
    return result;
  }
  absl::Status stopped() {
    absl::MutexLock lock(&process_->mutex);
    return process_->stopped;
  }
  static absl::Status Away() { return absl::UnavailableError("away"); }

  TempDir dir_;
  SimulatedClock clock_{absl::FromUnixSeconds(1'777'888'800)};
  VendorClock vendor_{&clock_};
  std::unique_ptr<FakeIdentity> service_;
  std::unique_ptr<Process> process_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_IDENTITY_FIXTURE_H_
