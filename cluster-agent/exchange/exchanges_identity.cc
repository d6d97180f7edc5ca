// What a change of the certificate, of its standing, or of the CAs means for
// the exchanges.
#include <algorithm>
#include <utility>

#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/exchange/channel.h"
#include "cluster-agent/exchange/exchanges.h"
#include "common/log/log.h"
#include "common/tls/credentials.h"
#include "common/tls/probe.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
namespace config = missioncontrol::config::v1;

constexpr absl::Duration kProbeTimeout = absl::Seconds(5);
// How often service.ca_file is read, at least.
constexpr absl::Duration kReadRoots = absl::Seconds(30);

}  // namespace

std::string Exchanges::root_pem() const {
  absl::MutexLock lock(&mutex_);
  return root_pem_;
}

absl::Status Exchanges::halted() const {
  absl::MutexLock lock(&mutex_);
  return halted_;
}

void Exchanges::PrepareIdentity() {
  const config::Schedule& schedule = options_.values->schedule();
  identity_ = std::make_unique<IdentityKeeper>(IdentityKeeper::Options{
      .clock = options_.clock,
      .timers = options_.timers,
      .executor = options_.executor,
      .in_flight = &in_flight_,
      .state = options_.state,
      .board = options_.board,
      .events = options_.events,
      .links = &links_,
      .enrollment = enrollment_.get(),
      .agent_instance_id = options_.agent_instance_id,
      .backoff = {.initial = ToAbsl(schedule.backoff_initial()),
                  .max = ToAbsl(schedule.backoff_max())},
      .draw = RandomDraw(),
      .connect = [this](const std::string& chain, const std::string& key)
          -> absl::StatusOr<std::shared_ptr<ClusterLink>> {
        auto channel =
            ChannelTo(options_.values->service().cluster(), chain, key);
        if (!channel.ok()) return channel.status();
        return std::make_shared<ClusterLink>(*std::move(channel));
      },
      .handshake_refused =
          [this](const std::string& chain, const std::string& key) {
            return HandshakeRefused(chain, key);
          },
      .on_moved = [this] { MoveStreams(); },
      .on_stopped = [this](const absl::Status& why) { Halt(why); }});
}

void Exchanges::MoveStreams() {
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return;
  }
  heartbeats_->Move();
  reports_->Wake();
  // Where the service was not reached with the older certificate.
  license_->Now();
}

void Exchanges::Halt(const absl::Status& why) {
  bool was_halted = false;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return;
    was_halted = !std::exchange(halted_, why).ok();
  }
  if (why.ok()) {
    if (was_halted) license_->Now();
    return;
  }
  LogError("this cluster's exchanges have ended; usage is still recorded",
           {{"detail", std::string(why.message())}});
  heartbeats_->Hold();
  heartbeats_->Move();
  reports_->Hold();
}

bool Exchanges::HandshakeRefused(const std::string& chain_pem,
                                 const std::string& key_pem) {
  const std::string& address = options_.values->service().cluster();
  const auto parts = SplitHostPort(address);
  if (!parts.ok()) return false;
  ProbeOptions probe;
  probe.host = parts->first;
  probe.port = parts->second;
  probe.proxy = options_.proxy.ProxyFor(address);
  probe.root_pem = root_pem();
  if (probe.root_pem.empty()) probe.root_pem = SystemRoots().value_or("");
  probe.cert_chain_pem = chain_pem;
  probe.key_pem = key_pem;
  probe.timeout = kProbeTimeout;
  const absl::Duration begin = options_.clock->SinceBoot();
  const ProbeResult result = Probe(probe, *options_.clock);
  // A service that is busy may be silent.
  if (options_.clock->SinceBoot() - begin >= kProbeTimeout) return false;
  // TLS 1.2 refuses in the handshake, TLS 1.3 after it.
  return result.trusted && result.dates_valid && result.host_matches &&
         result.asked_for_client_certificate && !result.greeted;
}

void Exchanges::WatchRoots() {
  if (options_.values->service().ca_file().empty()) return;
  const absl::Duration interval =
      std::min(kReadRoots, ToAbsl(options_.values->schedule().license()));
  options_.timers->ScheduleAfter(interval, [this] {
    options_.executor->TryRun([this] { ReadRoots(); });
    WatchRoots();
  });
}

void Exchanges::ReadRoots() {
  const std::string& file = options_.values->service().ca_file();
  absl::StatusOr<std::string> roots = LoadRoots(file);
  {
    absl::MutexLock lock(&mutex_);
    if (roots.ok() && *roots == root_pem_) {
      root_problem_told_ = false;
      return;
    }
    if (!roots.ok()) {
      if (std::exchange(root_problem_told_, true)) return;
      LogError("service.ca_file cannot be used; the CAs before stay in use",
               {{"detail", std::string(roots.status().message())}});
      return;
    }
    root_pem_ = *std::move(roots);
    root_problem_told_ = false;
  }
  LogInfo("service.ca_file has changed", {{"path", file}});
  auto channel = ChannelTo(options_.values->service().enrollment(), "", "");
  if (!channel.ok()) {
    LogError("service.ca_file cannot be used",
             {{"detail", std::string(channel.status().message())}});
    return;
  }
  enrollment_->Use(*std::move(channel));
  identity_->Reconnect();
}

void Exchanges::Obey(const v1::Directive& directive) {
  if (directive.has_certificate_renewal_requested() &&
      directive.certificate_renewal_requested().agent_instance_id() ==
          options_.agent_instance_id) {
    LogInfo("the service asks for another certificate at once");
    identity_->RenewNow();
  }
}

}  // namespace mc::agent
