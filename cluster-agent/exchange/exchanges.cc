#include "cluster-agent/exchange/exchanges.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/domain/proxy/cause.h"
#include "cluster-agent/domain/site/site_view.h"
#include "cluster-agent/exchange/channel.h"
#include "common/log/log.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "common/tls/credentials.h"
#include "common/tls/probe.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
namespace config = missioncontrol::config::v1;

constexpr absl::Duration kDeadline = absl::Seconds(20);
// How long a thread of the executor may look for a cause.
constexpr absl::Duration kProbeTimeout = absl::Seconds(3);
// The channel's pause between two attempts to connect and the schedule's pause
// between two calls add up: together they stay within the configured bound.
// (The channel adds up to a fifth of its own.)
constexpr double kChannelShare = 0.4;
constexpr double kScheduleShare = 0.5;
// While nothing is exchanged.
constexpr absl::Duration kHaltedPause = absl::Minutes(10);

v1::Pacing HaltedPacing() {
  v1::Pacing pacing;
  *pacing.mutable_retry_after() = mc::ToProto(kHaltedPause);
  return pacing;
}

// A registration that waits for its approval asks again at the interval that
// the service wishes.
v1::Pacing RegistrationPacing(const v1::RegisterResponse& answer) {
  v1::Pacing pacing = answer.pacing();
  if (answer.status() == v1::REGISTRATION_STATUS_PENDING &&
      !pacing.has_retry_after() && pacing.has_next_interval()) {
    *pacing.mutable_retry_after() = pacing.next_interval();
  }
  return pacing;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Exchanges>> Exchanges::Create(Options options) {
  std::unique_ptr<Exchanges> exchanges(new Exchanges(std::move(options)));
  const absl::Status status = exchanges->Prepare();
  if (!status.ok()) return status;
  return exchanges;
}

Pacer::Options Exchanges::PacerFor(
    const google::protobuf::Duration* interval) const {
  const config::Schedule& schedule = options_.values->schedule();
  return {.interval = interval == nullptr ? absl::InfiniteDuration()
                                          : ToAbsl(*interval),
          .backoff_initial = ToAbsl(schedule.backoff_initial()),
          .backoff_max = ToAbsl(schedule.backoff_max()) * kScheduleShare};
}

std::unique_ptr<PeriodicExchange> Exchanges::Make(
    Exchange exchange, const google::protobuf::Duration* interval,
    void (Exchanges::*attempt)(PeriodicExchange::Done)) {
  return std::make_unique<PeriodicExchange>(PeriodicExchange::Options{
      .exchange = exchange,
      .clock = options_.clock,
      .timers = options_.timers,
      .executor = options_.executor,
      .board = options_.board,
      .pacer = PacerFor(interval),
      .draw = RandomDraw(),
      .attempt =
          [this, attempt](PeriodicExchange::Done done) {
            (this->*attempt)(std::move(done));
          },
      .answered_elsewhere = exchange == Exchange::kHealthCheck,
  });
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Exchanges::ChannelTo(
    const std::string& address, const std::string& chain_pem,
    const std::string& key_pem) const {
  const config::Schedule& schedule = options_.values->schedule();
  return MakeChannel(
      {.address = address,
       .proxy = options_.proxy.ProxyFor(address),
       .root_pem = root_pem(),
       .cert_chain_pem = chain_pem,
       .key_pem = key_pem,
       .backoff_initial = ToAbsl(schedule.backoff_initial()) * kChannelShare,
       .backoff_max = ToAbsl(schedule.backoff_max()) * kChannelShare});
}

absl::Status Exchanges::Prepare() {
  const auto channel =
      ChannelTo(options_.values->service().enrollment(), "", "");
  if (!channel.ok()) return channel.status();
  enrollment_ = std::make_unique<Enrollment>(
      Enrollment::Options{.channel = *channel,
                          .in_flight = &in_flight_,
                          .executor = options_.executor,
                          .license_key = options_.license_key,
                          .token = options_.enrollment_token,
                          .agent_version = options_.health.agent_version});
  const config::Schedule& schedule = options_.values->schedule();
  installation_ = Make(Exchange::kInstallation, nullptr, &Exchanges::Install);
  registration_ = Make(Exchange::kRegistration, nullptr, &Exchanges::Register);
  license_ =
      Make(Exchange::kLicense, &schedule.license(), &Exchanges::CheckLicense);
  health_ = Make(Exchange::kHealthCheck, &schedule.health_check(),
                 &Exchanges::CheckHealth);
  updates_ =
      Make(Exchange::kUpdates, &schedule.updates(), &Exchanges::CheckUpdates);
  PrepareIdentity();
  return BeginClusterExchanges();
}

absl::Status Exchanges::BeginClusterExchanges() {
  const StateDirectory& state = *options_.state->directory;
  std::string chain;
  std::string key;
  {
    absl::MutexLock lock(&options_.state->mutex);
    const auto registration = state.LoadRegistration();
    if (!registration.ok()) return registration.status();
    const auto certificates = state.LoadCertificateChain();
    if (!certificates.ok()) return certificates.status();
    if (!registration->has_value() || !certificates->has_value()) {
      return absl::OkStatus();
    }
    document_keys_.Set({(*registration)->document_keys().begin(),
                        (*registration)->document_keys().end()});
    chain = **certificates;
    key = state.tls_key().ToPem();
  }
  // The service decides, by its own clock: usage is recorded in any case.
  const absl::Status valid = CheckValidity(chain, options_.clock->Now());
  if (!valid.ok()) {
    LogWarning("the cluster's certificate is not valid by this clock",
               {{"detail", std::string(valid.message())}});
  }
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel =
      ChannelTo(options_.values->service().cluster(), chain, key);
  if (!channel.ok()) return channel.status();
  links_.Set(std::make_shared<ClusterLink>(*std::move(channel)));
  const std::string& address = options_.values->service().cluster();
  const auto on_over = [this, address](const absl::Status& status) {
    Note(address, status);
  };
  const config::Schedule& schedule = options_.values->schedule();
  const bool remote_access =
      EffectivePrivacy(*options_.values).remote_access() !=
      v1::REMOTE_ACCESS_POLICY_OFF;
  heartbeats_ = std::make_unique<Heartbeats>(Heartbeats::Options{
      .links = &links_,
      .in_flight = &in_flight_,
      .executor = options_.executor,
      .clock = options_.clock,
      .timers = options_.timers,
      .board = options_.board,
      .pacer =
          PacerFor(remote_access ? &schedule.heartbeat()
                                 : &schedule.heartbeat_without_remote_access()),
      .draw = RandomDraw(),
      .beats = [this] { return Beats(); },
      .on_directive =
          [this](const v1::Directive& directive) { Obey(directive); },
      .on_over =
          [this, on_over](const absl::Status& status) {
            options_.other_master->StreamEnded(ReasonOf(status));
            on_over(status);
          }});
  reports_ = std::make_unique<Reports>(Reports::Options{
      .links = &links_,
      .in_flight = &in_flight_,
      .executor = options_.executor,
      .clock = options_.clock,
      .timers = options_.timers,
      .board = options_.board,
      .outbox = options_.outbox,
      .pacer = PacerFor(nullptr),
      .draw = RandomDraw(),
      .cluster_id = state.cluster_id(),
      .agent_instance_id = options_.agent_instance_id,
      .document_keys = &document_keys_,
      .events = options_.events,
      .on_over =
          [this, on_over](const absl::Status& status) {
            // A receipt of a key that is newer than the last
            // license.
            if (absl::IsUnauthenticated(status)) {
              license_->Now();
            }
            on_over(status);
          },
      .on_health_pacing =
          [this](const v1::Pacing& pacing) { health_->SetPacing(pacing); }});
  options_.board->Registered();
  options_.license->Load(document_keys_.keys());
  {
    absl::MutexLock lock(&mutex_);
    registered_ = true;
  }
  identity_->Start();
  return absl::OkStatus();
}

void Exchanges::Start() {
  bool registered = false;
  {
    absl::MutexLock lock(&mutex_);
    registered = registered_;
  }
  CheckVersion();
  WatchRoots();
  health_->Now();
  if (registered) license_->Now();
}

void Exchanges::CheckVersion() {
  const absl::StatusOr<std::string> version = ProductVersion(options_.health);
  if (!version.ok()) {
    options_.board->Failed(Exchange::kInstallation, version.status());
    return;
  }
  absl::StatusOr<bool> needed;
  {
    absl::MutexLock lock(&options_.state->mutex);
    needed = NeedsInstall(*options_.state->directory,
                          options_.health.agent_version, *version);
  }
  if (!needed.ok()) {
    options_.board->Failed(Exchange::kInstallation, needed.status());
    return;
  }
  if (*needed) return installation_->Now();
  absl::MutexLock lock(&mutex_);
  if (!registered_) registration_->Now();
}

void Exchanges::Note(const std::string& address, const absl::Status& status) {
  if (IsUnreachable(status)) {
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
    }
    options_.board->Unreachable(address, status);
    FindCause(address);
    {
      absl::MutexLock lock(&mutex_);
      if (!registered_) return;
    }
    if (options_.connection_watch != nullptr) {
      options_.connection_watch->Lost();
    }
    heartbeats_->Hold();
    reports_->Hold();
    if (address == options_.values->service().cluster()) {
      identity_->NotedUnreachable(status);
    }
    // It finds out when the service is back, and comes first then. A service
    // that starts anew has lost all of its clusters at the same moment.
    license_->Within(ToAbsl(options_.values->schedule().backoff_initial()));
  } else if (!absl::IsCancelled(status)) {
    options_.board->Reached();
    if (options_.connection_watch != nullptr) {
      options_.connection_watch->Restored();
    }
    if (address == options_.values->service().cluster()) {
      identity_->Noted(status);
    }
  }
}

void Exchanges::FindCause(const std::string& address) {
  std::optional<HttpProxy> proxy = options_.proxy.ProxyFor(address);
  const auto parts = SplitHostPort(address);
  if (!proxy.has_value() || !parts.ok() || finding_cause_.exchange(true)) {
    return;
  }
  ProbeOptions probe;
  probe.host = parts->first;
  probe.port = parts->second;
  probe.proxy = *std::move(proxy);
  probe.root_pem = root_pem();
  if (probe.root_pem.empty()) probe.root_pem = SystemRoots().value_or("");
  probe.timeout = kProbeTimeout;
  const bool begun =
      options_.executor->TryRun([this, address, probe = std::move(probe)] {
        const ProbeResult result = Probe(probe, *options_.clock);
        options_.board->Explain(address, CauseOf(result, probe));
        finding_cause_ = false;
      });
  if (!begun) finding_cause_ = false;
}

void Exchanges::NoteEnrollment(const absl::Status& status) {
  {
    // A registered cluster lives by the other listener.
    absl::MutexLock lock(&mutex_);
    if (registered_) return;
  }
  Note(options_.values->service().enrollment(), status);
}

void Exchanges::OpenStreams() {
  bool first = false;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_ || !halted_.ok()) return;
    first = !std::exchange(updates_begun_, true);
  }
  heartbeats_->Open();
  reports_->Open();
  if (first) updates_->Now();
}

void Exchanges::Install(PeriodicExchange::Done done) {
  const absl::StatusOr<std::string> version = ProductVersion(options_.health);
  if (!version.ok()) return done(version.status(), v1::Pacing());
  enrollment_->Install(
      *version, [this, version = *version,
                 done](const absl::StatusOr<v1::InstallResponse>& answer) {
        NoteEnrollment(answer.status());
        if (!answer.ok()) return done(answer.status(), v1::Pacing());
        const absl::Status kept =
            KeepInstallation(*options_.state, options_.health.agent_version,
                             version, *answer, options_.clock->Now());
        done(kept, v1::Pacing());
        if (!kept.ok()) return;
        LogInfo("installed", {{"account", answer->account_name()},
                              {"license", answer->license_name()},
                              {"product_version", version}});
        absl::MutexLock lock(&mutex_);
        if (!registered_) registration_->Now();
      });
}

void Exchanges::Register(PeriodicExchange::Done done) {
  enrollment_->Register(
      *options_.state,
      [this, done](const absl::StatusOr<v1::RegisterResponse>& answer) {
        NoteEnrollment(answer.status());
        if (!answer.ok()) return done(answer.status(), v1::Pacing());
        absl::Status kept =
            KeepRegistration(*options_.state, options_.license_key, *answer,
                             options_.clock->Now());
        if (kept.ok()) kept = BeginClusterExchanges();
        done(kept, RegistrationPacing(*answer));
        if (!kept.ok()) return;
        LogInfo("registered",
                {{"cluster_id", options_.state->directory->cluster_id()}});
        license_->Now();
      });
}

void Exchanges::CheckLicense(PeriodicExchange::Done done) {
  const absl::Status halt = halted();
  if (!halt.ok()) return done(halt, HaltedPacing());
  using Async = v1::ClusterService::StubInterface::async_interface;
  const absl::Time sent = options_.clock->Now();
  CallCluster<v1::CheckLicenseRequest, v1::CheckLicenseResponse>(
      &links_, &in_flight_, options_.executor, &Async::CheckLicense, {},
      kDeadline,
      [this, sent,
       done](const absl::StatusOr<v1::CheckLicenseResponse>& answer) {
        if (answer.ok()) {
          NoteServiceTime(*answer);
          CompareClocks(sent, *answer);
        }
        Note(options_.values->service().cluster(), answer.status());
        if (answer.ok()) {
          done(options_.license->Answered(*answer, document_keys_),
               answer->pacing());
        } else {
          // Of a call that this agent has ended itself nothing follows.
          if (!absl::IsCancelled(answer.status())) {
            options_.license->NotAnswered();
          }
          done(answer.status(), v1::Pacing());
        }
        if (!IsUnreachable(answer.status())) OpenStreams();
      });
}

void Exchanges::NoteServiceTime(const v1::CheckLicenseResponse& answer) {
  if (!answer.has_service_time()) return;
  const absl::StatusOr<absl::Time> time = FromProto(answer.service_time());
  if (time.ok()) options_.outbox->SetServiceTime(*time);
}

void Exchanges::CompareClocks(absl::Time sent,
                              const v1::CheckLicenseResponse& answer) {
  if (options_.clock_watch == nullptr || !answer.has_service_time()) return;
  const absl::StatusOr<absl::Time> service = FromProto(answer.service_time());
  if (service.ok()) {
    options_.clock_watch->Measured(sent, options_.clock->Now(), *service);
  }
}

void Exchanges::CheckHealth(PeriodicExchange::Done done) {
  absl::StatusOr<BuiltHealth> built =
      BuildHealthCheck(options_.health, options_.clock->Now());
  if (!built.ok()) return done(built.status(), v1::Pacing());
  for (const absl::Status& missing : built->missing) {
    LogWarning("missing in the health check",
               {{"detail", std::string(missing.message())}});
  }
  options_.outbox->PutHealth(std::move(built->check),
                             [this, done](const absl::Status& status) {
                               done(status, v1::Pacing());
                               if (status.ok()) WakeReports();
                             });
}

void Exchanges::CheckUpdates(PeriodicExchange::Done done) {
  const absl::Status halt = halted();
  if (!halt.ok()) return done(halt, HaltedPacing());
  v1::CheckUpdatesRequest request;
  const absl::StatusOr<std::string> version = ProductVersion(options_.health);
  if (version.ok() && !version->empty()) {
    v1::InstalledVersion& cluster = *request.add_installed();
    cluster.set_component(v1::COMPONENT_CLUSTER);
    cluster.set_version(*version);
  }
  request.mutable_installed()->MergeFrom(
      options_.values->product().components());
  using Async = v1::ClusterService::StubInterface::async_interface;
  CallCluster<v1::CheckUpdatesRequest, v1::CheckUpdatesResponse>(
      &links_, &in_flight_, options_.executor, &Async::CheckUpdates,
      std::move(request), kDeadline,
      [this, done](const absl::StatusOr<v1::CheckUpdatesResponse>& answer) {
        Note(options_.values->service().cluster(), answer.status());
        if (!answer.ok()) return done(answer.status(), v1::Pacing());
        const OfferedReleases offered =
            VerifyReleases(*answer, document_keys_.keys());
        options_.board->SetUpdates(offered.available);
        done(offered.refused.empty() ? absl::OkStatus()
                                     : offered.refused.front(),
             answer->pacing());
      });
}

std::vector<v1::StreamHeartbeatsRequest> Exchanges::Beats() const {
  const HealthSources& sources = options_.health;
  std::vector<v1::StreamHeartbeatsRequest> beats = SiteBeats(
      sources.node_id, KnownActiveGates(sources),
      sources.other_nodes ? sources.other_nodes() : std::vector<KnownNode>());
  for (v1::StreamHeartbeatsRequest& beat : beats) {
    beat.set_cluster_id(sources.cluster_id);
    beat.set_agent_instance_id(options_.agent_instance_id);
  }
  return beats;
}

void Exchanges::WakeReports() {
  {
    absl::MutexLock lock(&mutex_);
    if (!registered_ || stopping_) return;
  }
  reports_->Wake();
}

void Exchanges::Stop(absl::Duration grace) {
  bool registered = false;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    registered = registered_;
  }
  if (registered) {
    heartbeats_->Close();
    reports_->Close();
    in_flight_.WaitUntil(*options_.clock, options_.clock->Now() + grace);
  }
  in_flight_.CancelAndWait();
}

}  // namespace mc::agent
