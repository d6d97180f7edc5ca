#include "mc-service/enroll/enroll_front.h"

#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/metrics/metrics.h"
#include "common/metrics/metrics_server.h"
#include "common/time/proto_time.h"
#include "common/time/timer_queue.h"
#include "mc-service/domain/pacing/retry_slots.h"
#include "mc-service/edge/listener_tls.h"
#include "mc-service/edge/listeners.h"
#include "mc-service/edge/service_metrics.h"
#include "mc-service/enroll/enrollment_limits.h"
#include "mc-service/enroll/front_service.h"

namespace mc::service {
namespace {

// Requests are a license key and a certificate request: whatever the clusters
// may send, a stranger needs no more.
constexpr int64_t kMaxMessageBytes = 64 << 10;

// Those who come while the service is away come again spread like this.
constexpr double kRetriesPerSecond = 100;

// Of the calls that may wait for the service: strangers leave most places to
// the clusters.
int OpenCalls(const config::Limits& limits) {
  return static_cast<int>(
      std::clamp<int64_t>(limits.max_queued_calls() / 4, 1, INT_MAX));
}

// It comes back soon, and is asked for often: it is on this machine.
std::shared_ptr<grpc::Channel> ConnectTo(const std::string& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, INT_MAX);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);
  // Proxies are for the network.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(absl::StrCat("unix:", socket),
                                   grpc::experimental::LocalCredentials(UDS),
                                   arguments);
}

class RunningFront : public EnrollFront {
 public:
  explicit RunningFront(Options options)
      : options_(std::move(options)),
        channel_(ConnectTo(values().enrollment_front().socket())),
        retry_slots_(kRetriesPerSecond, absl::Seconds(30)),
        rpc_metrics_(&metrics_),
        limits_({.per_minute_per_address =
                     values().limits().enrollments_per_minute_per_address(),
                 .per_minute_per_license =
                     values().limits().enrollments_per_minute_per_license(),
                 .clock = options_.clock,
                 .metrics = &metrics_}),
        service_({.channel = channel_,
                  .limits = &limits_,
                  .metrics = &rpc_metrics_,
                  .retry_slots = &retry_slots_,
                  .clock = options_.clock,
                  .real_peer = std::bind_front(
                      &Listeners::RealPeer, &listeners_, Listener::kEnrollment),
                  .max_open_calls = OpenCalls(values().limits())}),
        tls_(TlsOptions()) {}
  ~RunningFront() override { Drain(); }

  absl::Status Open() {
    AddMetrics();
    absl::Status status = Listen();
    if (status.ok()) status = ListenForMetrics();
    if (!status.ok()) return status;
    timers_.emplace(options_.clock);
    SchedulePoll();
    serving_ = true;
    listeners_.SetServing(true);
    return absl::OkStatus();
  }

  const Ports& ports() const override { return ports_; }

  void Drain() override {
    if (std::exchange(drained_, true)) return;
    serving_ = false;
    listeners_.SetServing(false);
    listeners_.Shutdown(options_.clock->Now() +
                        *FromProto(values().drain_timeout()));
    if (timers_.has_value()) timers_->Stop();
    // It reads the listeners' figures.
    metrics_server_ = nullptr;
    listeners_.End();
  }

 private:
  const config::ServiceConfig& values() const {
    return options_.configuration.values;
  }

  ListenerTls::Options TlsOptions() {
    ListenerTls::Options options;
    options.clock = options_.clock;
    options.metrics = &metrics_;
    return options;
  }

  absl::Status Listen() {
    const absl::Status status = listeners_.Start(
        values(),
        {{.listener = Listener::kEnrollment,
          .service = &service_,
          .service_name =
              missioncontrol::v1::EnrollmentService::service_full_name(),
          .max_message_bytes = kMaxMessageBytes}},
        &tls_, options_.clock, &metrics_);
    if (!status.ok()) return status;
    ports_.enrollment = listeners_.port(Listener::kEnrollment);
    return absl::OkStatus();
  }

  absl::Status ListenForMetrics() {
    absl::StatusOr<HostPort> address = ParseHostPort(options_.metrics_address);
    if (!address.ok()) return address.status();
    if (address->host == "localhost") address->host = "127.0.0.1";
    auto server = MetricsServer::Start(
        address->host, address->port, &metrics_,
        [this] { return serving_ && ReachesTheService(); });
    if (!server.ok()) return server.status();
    ports_.metrics = (*server)->port();
    metrics_server_ = *std::move(server);
    return absl::OkStatus();
  }

  void SchedulePoll() {
    timers_->ScheduleAfter(ListenerTls::kPollInterval, [this] {
      tls_.Poll();
      SchedulePoll();
    });
  }

  bool ReachesTheService() {
    return channel_->GetState(/*try_to_connect=*/true) == GRPC_CHANNEL_READY;
  }

  void AddMetrics() {
    metrics_.AddGauge("start_time_seconds", "When the front started.")
        .Set(absl::ToDoubleSeconds(options_.clock->Now() - absl::UnixEpoch()));
    metrics_.AddGauge("front_service_reached",
                      "1 while the front is connected with the service.",
                      [this] { return ReachesTheService() ? 1.0 : 0.0; });
    AddDescriptorFigures(&metrics_);
  }

  const Options options_;
  Ports ports_;
  std::atomic<bool> serving_{false};
  bool drained_ = false;
  const std::shared_ptr<grpc::Channel> channel_;
  Metrics metrics_;
  RetrySlots retry_slots_;
  RpcMetrics rpc_metrics_;
  EnrollmentLimits limits_;
  Listeners listeners_;
  FrontService service_;
  ListenerTls tls_;
  std::optional<TimerQueue> timers_;
  std::unique_ptr<MetricsServer> metrics_server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<EnrollFront>> EnrollFront::Start(
    Options options) {
  auto front = std::make_unique<RunningFront>(std::move(options));
  const absl::Status status = front->Open();
  if (!status.ok()) return status;
  return front;
}

}  // namespace mc::service
