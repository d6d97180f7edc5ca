#include "cluster-agent/node/membership.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/exchange/pacer.h"
#include "cluster-agent/node/join.h"
#include "common/crypto/certificate.h"
#include "common/log/log.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using config::AgentNode;
using config::NodeKeyPair;

// A node is back so soon after its master, whatever the pauses are between
// attempts to reach the vendor.
constexpr absl::Duration kLongestPause = absl::Seconds(30);
constexpr absl::Duration kRenewDeadline = absl::Seconds(15);
// Of the lifetime; from half of it on, spread so that nodes that joined
// together do not renew together.
constexpr double kRenewFrom = 0.5;
constexpr double kRenewSpread = 0.1;
constexpr absl::Duration kClockTolerance = absl::Seconds(10);
constexpr char kJoinAgain[] =
    "make a token on the master with cluster-agent node token create, and join "
    "with cluster-agent node join --token-file FILE";

absl::Duration LongestPause(const config::Schedule& schedule) {
  return std::min(ToAbsl(schedule.backoff_max()), kLongestPause);
}

absl::Time NotAfter(const NodeKeyPair& pair) {
  const auto info = ParseCertificatePem(pair.certificate_pem());
  return info.ok() ? info->not_after : absl::InfinitePast();
}

bool IsUsable(const NodeKeyPair& pair, absl::Time now) {
  return !pair.certificate_pem().empty() && now <= NotAfter(pair);
}

void Count(v1::ExchangeStatus& status, const absl::Status& result,
           absl::Time now) {
  *status.mutable_last_attempt_at() = mc::ToProto(now);
  if (result.ok()) {
    status.set_succeeded(status.succeeded() + 1);
    *status.mutable_last_success_at() = mc::ToProto(now);
    status.clear_last_error();
  } else {
    status.set_failed(status.failed() + 1);
    status.set_last_error(
        absl::StrCat(ResultName(result), ": ", result.message()));
  }
}

// The master has looked at the certificate and will not take it again.
bool RefusesCertificate(const absl::Status& status) {
  switch (ReasonOf(status)) {
    case v1::ERROR_REASON_NODE_REMOVED:
    case v1::ERROR_REASON_IDENTITY_REVOKED:
    case v1::ERROR_REASON_IDENTITY_MISSING:
      return true;
    default:
      return false;
  }
}

}  // namespace

Membership::Membership(Options options)
    : options_(std::move(options)),
      backoff_(
          {.initial = ToAbsl(options_.values->schedule().backoff_initial()),
           .max = LongestPause(options_.values->schedule())},
          options_.draw) {
  joins_.set_name("node_join");
  reports_.set_name("node_report");
  renewals_.set_name("node_certificate");
}

void Membership::Start() {
  absl::MutexLock lock(&mutex_);
  waiting_for_ = "the master's first answer";
  ScheduleStep(absl::ZeroDuration());
}

void Membership::ReportNow() {
  std::shared_ptr<MasterLink> link;
  {
    absl::MutexLock lock(&mutex_);
    link = link_;
  }
  if (link != nullptr) link->ReportNow();
}

void Membership::Stop() {
  std::shared_ptr<MasterLink> link;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    ++round_;
    ++renewal_round_;
    ++link_number_;
    link = std::move(link_);
  }
  if (link != nullptr) link->Close();
  // The link, and with it its channel, goes after its calls, and here.
  in_flight_.CancelAndWait();
}

AgentNode Membership::Node() const {
  absl::MutexLock lock(&options_.state->mutex);
  return options_.state->directory->values();
}

std::string Membership::MasterAddress(const AgentNode& node) const {
  const std::string& configured = options_.values->node().master_address();
  return configured.empty() ? node.master_address() : configured;
}

void Membership::ScheduleStep(absl::Duration pause) {
  if (stopped_ || failed_) return;
  const uint64_t round = ++round_;
  *reports_.mutable_next_attempt_at() =
      mc::ToProto(options_.clock->Now() + pause);
  options_.timers->ScheduleAfter(pause, [this, round] {
    if (options_.executor->TryRun([this, round] { Step(round); })) return;
    absl::MutexLock lock(&mutex_);
    if (round == round_)
      ScheduleStep(LongestPause(options_.values->schedule()));
  });
}

absl::StatusOr<Membership::Pair> Membership::Choose(
    const AgentNode& node) const {
  if (!node.has_current()) {
    return absl::FailedPreconditionError("this node has not joined a site yet");
  }
  const absl::Time now = options_.clock->Now();
  const bool current =
      !refused_.contains(Pair::kCurrent) && IsUsable(node.current(), now);
  const bool next =
      !refused_.contains(Pair::kNext) && IsUsable(node.next(), now);
  if (next && (prefer_next_ || !current)) return Pair::kNext;
  if (current) return Pair::kCurrent;
  if (!refusal_.ok()) return refusal_;
  return absl::FailedPreconditionError(
      absl::StrCat("this node's certificate expired at ",
                   FormatUtc(NotAfter(node.current())),
                   "; it was not connected to its master for too long"));
}

void Membership::Step(uint64_t round) {
  const AgentNode node = Node();
  absl::StatusOr<Pair> pair = Pair::kCurrent;
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_ || failed_ || round != round_ || link_ != nullptr) return;
    pair = Choose(node);
  }
  if (!pair.ok()) return Join(pair.status());
  Connect(node, *pair);
}

void Membership::Join(const absl::Status& why) {
  if (options_.token.empty()) {
    return Fail(
        Error(why.code(), ReasonOf(why),
              std::string(why.message()).append("; ").append(kJoinAgain)));
  }
  absl::StatusOr<std::string> token = options_.token.Read();
  absl::Status joined = token.status();
  if (joined.ok()) {
    joined = JoinSite({.address = options_.values->node().join_address(),
                       .token = *std::move(token),
                       .agent_version = options_.agent_version,
                       .state = options_.state,
                       .in_flight = &in_flight_,
                       .clock = options_.clock});
  }
  const bool refused = ReasonOf(joined) == v1::ERROR_REASON_JOIN_TOKEN_REFUSED;
  if (refused && ReasonOf(why) == v1::ERROR_REASON_NODE_REMOVED) {
    return Fail(why);
  }
  const AgentNode node = Node();
  absl::MutexLock lock(&mutex_);
  Count(joins_, joined, options_.clock->Now());
  if (joined.ok()) {
    refused_.clear();
    refusal_ = absl::OkStatus();
    waiting_key_.clear();
    LogInfo("joined the site", {{"cluster_id", node.cluster_id()},
                                {"node_id", node.node_id()},
                                {"master", MasterAddress(node)}});
    return ScheduleStep(absl::ZeroDuration());
  }
  WaitFor(joined, absl::StrCat("joining the site, for ", why.message(), ": ",
                               joined.message()));
  ScheduleStep(IsRefusal(joined)
                   ? Jittered(LongestPause(options_.values->schedule()),
                              kJitter, options_.draw)
                   : backoff_.Next(RetryAfter(joined, v1::Pacing())));
}

void Membership::Connect(const AgentNode& node, Pair pair) {
  const NodeKeyPair& keys = pair == Pair::kNext ? node.next() : node.current();
  auto channel = SiteChannel(MasterAddress(node), node.site_ca_pem(),
                             keys.certificate_pem(), keys.key_pem());
  v1::NodeHello hello;
  hello.set_agent_instance_id(options_.agent_instance_id);
  hello.set_agent_version(options_.agent_version);
  absl::MutexLock lock(&mutex_);
  if (stopped_ || link_ != nullptr) return;
  if (!channel.ok()) {
    WaitFor(channel.status(), std::string(channel.status().message()));
    return ScheduleStep(backoff_.Next());
  }
  if (!last_master_.empty()) {
    hello.set_last_master_instance_id(last_master_);
    *hello.mutable_last_master_contact_age() =
        mc::ToProto(options_.clock->SinceBoot() - last_contact_);
  }
  pair_ = pair;
  const uint64_t number = ++link_number_;
  link_ = MasterLink::Open(
      {.channel = *std::move(channel),
       .in_flight = &in_flight_,
       .executor = options_.executor,
       .timers = options_.timers,
       .draw = options_.draw,
       .hello = std::move(hello),
       .report = options_.report,
       .on_welcome =
           [this, number](const v1::NodeWelcome& welcome) {
             OnWelcome(number, welcome);
           },
       .on_receipt = [this, number] { OnReceipt(number); },
       .on_over = [this,
                   number](const absl::Status& end) { OnOver(number, end); }});
}

void Membership::OnWelcome(uint64_t link_number,
                           const v1::NodeWelcome& welcome) {
  const absl::Time now = options_.clock->Now();
  Pair pair = Pair::kCurrent;
  {
    absl::MutexLock lock(&mutex_);
    if (link_number != link_number_) return;
    pair = pair_;
  }
  absl::Status kept;
  {
    absl::MutexLock lock(&options_.state->mutex);
    NodeState& state = *options_.state->directory;
    if (pair == Pair::kNext) {
      kept = state.AdoptNext();
    } else if (!state.values().next().certificate_pem().empty()) {
      // It was tried, and this one had to be taken again.
      kept = state.DropNext();
    }
  }
  if (!kept.ok()) {
    LogError("the certificate cannot be kept; it is tried again",
             {{"detail", std::string(kept.message())}});
  }
  const AgentNode node = Node();
  absl::MutexLock lock(&mutex_);
  if (link_number != link_number_) return;
  if (pair == Pair::kNext) {
    pair_ = Pair::kCurrent;
    LogInfo("renewed the node's certificate",
            {{"until", FormatUtc(NotAfter(node.current()))}});
  }
  refused_.clear();
  prefer_next_ = true;
  connected_ = true;
  waiting_for_.clear();
  waiting_key_.clear();
  last_master_ = welcome.master_instance_id();
  last_contact_ = options_.clock->SinceBoot();
  reports_.clear_next_attempt_at();
  LogInfo("connected to the master", {{"address", MasterAddress(node)},
                                      {"master", welcome.master_node_id()}});
  const absl::StatusOr<absl::Time> master_time =
      FromProto(welcome.master_time());
  if (welcome.has_master_time() && master_time.ok() &&
      absl::AbsDuration(*master_time - now) > kClockTolerance) {
    LogWarning(
        "this machine's clock differs from the master's; set both by "
        "NTP",
        {{"difference", absl::FormatDuration(now - *master_time)}});
  }
  PlanRenewal(node.current());
}

void Membership::OnReceipt(uint64_t link_number) {
  absl::MutexLock lock(&mutex_);
  if (link_number != link_number_) return;
  backoff_.Reset();
  last_contact_ = options_.clock->SinceBoot();
  Count(reports_, absl::OkStatus(), options_.clock->Now());
}

void Membership::OnOver(uint64_t link_number, const absl::Status& status) {
  const std::string address = MasterAddress(Node());
  // Goes after the lock.
  std::shared_ptr<MasterLink> link;
  absl::MutexLock lock(&mutex_);
  if (link_number != link_number_) return;
  link = std::move(link_);
  Count(reports_, status, options_.clock->Now());
  if (std::exchange(connected_, false)) {
    LogWarning("the master is lost; it is tried again",
               {{"address", address},
                {"result", ResultName(status)},
                {"detail", std::string(status.message())}});
    waiting_key_ = "lost";
  }
  prefer_next_ = !prefer_next_;
  const absl::Duration pause = AfterEnd(status);
  if (IsUnreachable(status)) {
    WaitFor(status,
            absl::StrCat("the master at ", address,
                         " does not answer; check node.master_address, the "
                         "network, and that its agent runs (",
                         status.message(), ")"));
  } else {
    WaitFor(status, std::string(status.message()));
  }
  ScheduleStep(pause);
}

absl::Duration Membership::AfterEnd(const absl::Status& status) {
  if (RefusesCertificate(status)) {
    refused_.insert(pair_);
    refusal_ = status;
    return backoff_.Next();
  }
  if (IsRefusal(status) && ReasonOf(status) != v1::ERROR_REASON_NOT_MASTER) {
    // SUPERSEDED among them: who is replaced does not fight.
    return Jittered(LongestPause(options_.values->schedule()), kJitter,
                    options_.draw);
  }
  return backoff_.Next(RetryAfter(status, v1::Pacing()));
}

void Membership::PlanRenewal(const NodeKeyPair& pair) {
  const absl::StatusOr<absl::Time> from = FromProto(pair.certified_at());
  const absl::Duration lifetime =
      NotAfter(pair) - from.value_or(options_.clock->Now());
  const absl::Duration due_in =
      from.value_or(options_.clock->Now()) +
      lifetime * (kRenewFrom + kRenewSpread * options_.draw()) -
      options_.clock->Now();
  // A clock that was set back does not put it off.
  ScheduleRenewal(std::clamp(due_in, absl::ZeroDuration(),
                             std::max(absl::ZeroDuration(), lifetime)));
}

void Membership::ScheduleRenewal(absl::Duration pause) {
  if (stopped_) return;
  const uint64_t round = ++renewal_round_;
  *renewals_.mutable_next_attempt_at() =
      mc::ToProto(options_.clock->Now() + pause);
  options_.timers->ScheduleAfter(pause, [this, round] {
    if (options_.executor->TryRun([this, round] { Renew(round); })) return;
    absl::MutexLock lock(&mutex_);
    if (round == renewal_round_) {
      ScheduleRenewal(LongestPause(options_.values->schedule()));
    }
  });
}

void Membership::Renew(uint64_t round) {
  std::shared_ptr<MasterLink> link;
  {
    absl::MutexLock lock(&mutex_);
    // Whoever is not connected plans it anew with the next Welcome.
    if (round != renewal_round_ || !connected_) return;
    link = link_;
  }
  absl::StatusOr<NodeKeyPair> next;
  {
    absl::MutexLock lock(&options_.state->mutex);
    next = options_.state->directory->DrawNext();
  }
  if (!next.ok()) return OnRenewed(next.status());
  v1::RenewNodeCertificateRequest request;
  request.set_certificate_signing_request(next->request_der());
  using Async = v1::SiteService::StubInterface::async_interface;
  Async* const async = link->stub().async();
  CallUnary<Async, v1::RenewNodeCertificateRequest,
            v1::RenewNodeCertificateResponse>(
      &in_flight_, options_.executor, async, &Async::RenewNodeCertificate,
      std::move(request), kRenewDeadline,
      [this, link](absl::StatusOr<v1::RenewNodeCertificateResponse> answer) {
        OnRenewed(answer);
      });
}

void Membership::OnRenewed(
    const absl::StatusOr<v1::RenewNodeCertificateResponse>& answer) {
  absl::Status status = answer.status();
  if (status.ok()) {
    absl::MutexLock lock(&options_.state->mutex);
    status = options_.state->directory->KeepNext(answer->node_certificate(),
                                                 options_.clock->Now());
  }
  std::shared_ptr<MasterLink> old;
  {
    absl::MutexLock lock(&mutex_);
    Count(renewals_, status, options_.clock->Now());
    if (!status.ok()) {
      LogWarning(
          "the node's certificate could not be renewed; it is tried "
          "again",
          {{"result", ResultName(status)},
           {"detail", std::string(status.message())}});
      return ScheduleRenewal(Jittered(LongestPause(options_.values->schedule()),
                                      kJitter, options_.draw));
    }
    // The next certificate is used at once; a new connection does it.
    renewals_.clear_next_attempt_at();
    prefer_next_ = true;
    ++link_number_;
    old = std::move(link_);
    ScheduleStep(absl::ZeroDuration());
  }
  if (old != nullptr) old->Close();
}

void Membership::WaitFor(const absl::Status& status, std::string text) {
  waiting_for_ = std::move(text);
  const std::string key = ResultName(status);
  // The loss itself was said.
  if (waiting_key_ == "lost" && IsUnreachable(status)) {
    waiting_key_ = key;
    return;
  }
  if (std::exchange(waiting_key_, key) == key) return;
  LogWarning("waiting for the master",
             {{"result", key}, {"detail", waiting_for_}});
}

void Membership::Fail(const absl::Status& status) {
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(failed_, true)) return;
    waiting_for_ = std::string(status.message());
  }
  options_.on_failed(status);
}

void Membership::Fill(v1::GetStatusResponse& status) const {
  const AgentNode node = Node();
  status.set_node_id(node.node_id());
  status.set_cluster_id(node.cluster_id());
  status.set_mastership_state(v1::MASTERSHIP_STATE_NODE);
  status.set_registration_state(node.has_current()
                                    ? v1::REGISTRATION_STATE_REGISTERED
                                    : v1::REGISTRATION_STATE_NOT_REGISTERED);
  if (node.has_current()) {
    *status.mutable_certificate_not_after() =
        mc::ToProto(NotAfter(node.current()));
  }
  absl::MutexLock lock(&mutex_);
  if (connected_) {
    status.set_connection_state(v1::CONNECTION_STATE_CONNECTED);
  } else {
    status.set_connection_state(node.has_current()
                                    ? v1::CONNECTION_STATE_WAITING
                                    : v1::CONNECTION_STATE_ENROLLING);
  }
  status.set_waiting_for(waiting_for_);
  for (const v1::ExchangeStatus& exchange : {joins_, reports_, renewals_}) {
    *status.add_exchanges() = exchange;
  }
}

}  // namespace mc::agent
