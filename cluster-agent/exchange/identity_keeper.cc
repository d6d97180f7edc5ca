#include "cluster-agent/exchange/identity_keeper.h"

#include <algorithm>
#include <utility>

#include "cluster-agent/exchange/pacer.h"
#include "common/crypto/certificate.h"
#include "common/log/log.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
namespace config = missioncontrol::config::v1;

// A clock that is set, and a machine that was suspended, are noticed so soon.
constexpr absl::Duration kLookAgain = absl::Hours(1);
// A directive comes with each answer until it is done.
constexpr absl::Duration kDirectiveOnce = absl::Seconds(10);
// Clusters that lose a service that starts anew do not look at its handshake at
// once, nor all at the same moment: they need their connections first.
constexpr absl::Duration kLookWithin = absl::Minutes(1);

bool HasAnswer(const std::optional<config::AgentRenewal>& renewal) {
  return renewal.has_value() && !renewal->certificate_chain_pem().empty();
}

}  // namespace

IdentityKeeper::IdentityKeeper(Options options)
    : options_(std::move(options)), backoff_(options_.backoff, options_.draw) {}

void IdentityKeeper::Start() {
  absl::MutexLock lock(&mutex_);
  started_ = true;
  Plan();
  Schedule(absl::ZeroDuration());
}

void IdentityKeeper::RenewNow() {
  absl::MutexLock lock(&mutex_);
  if (!started_ || busy_ ||
      options_.clock->SinceBoot() - renewed_at_ < kDirectiveOnce) {
    return;
  }
  renews_at_ = absl::InfinitePast();
  Schedule(absl::ZeroDuration());
}

void IdentityKeeper::Reconnect() {
  absl::MutexLock lock(&mutex_);
  ++wished_;
  if (started_ && !busy_) Schedule(absl::ZeroDuration());
}

void IdentityKeeper::Noted(const absl::Status& status) {
  {
    absl::MutexLock lock(&mutex_);
    unreachable_ = false;
  }
  switch (VerdictOf(status)) {
    case Verdict::kStop:
      return Stop(status);
    case Verdict::kRecover: {
      absl::MutexLock lock(&mutex_);
      suspected_ = false;
      if (!started_ || std::exchange(recover_, true) || busy_) return;
      return Schedule(absl::ZeroDuration());
    }
    case Verdict::kNone:
      break;
  }
  if (!status.ok()) return;
  {
    // It was a passing trouble: the certificate in use is good.
    absl::MutexLock lock(&mutex_);
    if (busy_ || (!recover_ && stopped_.ok())) return;
    recover_ = false;
    refusals_ = 0;
  }
  Resume();
}

void IdentityKeeper::NotedUnreachable(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  const absl::Duration now = options_.clock->SinceBoot();
  if (!std::exchange(unreachable_, true)) {
    look_from_ = std::max(
        look_from_, now + std::min(options_.backoff.max, kLookWithin) * Draw());
  }
  if (!started_ || busy_ || recover_) return;
  if (Expired()) {
    recover_ = true;
    suspected_ = false;
    return Schedule(backoff_.Next(absl::ZeroDuration()));
  }
  // A service that says that it is busy has taken the certificate, and one that
  // is silent has not refused it.
  if (!absl::IsUnavailable(status) ||
      ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED || now < look_from_ ||
      now < ask_from_) {
    return;
  }
  look_from_ = now + options_.backoff.max;
  options_.executor->TryRun([this] {
    std::string chain;
    std::string key;
    {
      absl::MutexLock state_lock(&options_.state->mutex);
      const StateDirectory& state = *options_.state->directory;
      chain = state.LoadCertificateChain().value_or(std::nullopt).value_or("");
      key = state.tls_key().ToPem();
    }
    if (chain.empty() || !options_.handshake_refused(chain, key)) return;
    LogWarning(
        "the service refuses this cluster's certificate, though it is in "
        "date; it is asked why");
    absl::MutexLock look_lock(&mutex_);
    if (busy_ || std::exchange(recover_, true)) return;
    suspected_ = true;
    Schedule(absl::ZeroDuration());
  });
}

void IdentityKeeper::Plan() {
  absl::MutexLock lock(&options_.state->mutex);
  const StateDirectory& state = *options_.state->directory;
  const auto registration = state.LoadRegistration();
  const auto chain = state.LoadCertificateChain();
  if (!registration.ok() || !registration->has_value() || !chain.ok() ||
      !chain->has_value()) {
    return;
  }
  const auto info = ParseCertificatePem(**chain);
  if (!info.ok()) return;
  const absl::StatusOr<absl::Time> certified_at = FromProto(
      (*registration)->has_certified_at() ? (*registration)->certified_at()
                                          : (*registration)->registered_at());
  // A clock that was ahead then, and has been set since, says nothing.
  const absl::Time now = options_.clock->Now();
  life_ = LifeOf(*info, std::min(certified_at.value_or(now), now));
  renews_at_ = RenewalDue(life_, Draw());
  near_end_told_ = false;
  options_.board->SetRenewal(renews_at_);
}

void IdentityKeeper::Schedule(absl::Duration pause) {
  const uint64_t round = ++round_;
  const absl::Time next = options_.clock->Now() + pause;
  options_.timers->ScheduleAfter(pause, [this, round] {
    if (options_.executor->TryRun([this, round] { Run(round); })) return;
    absl::MutexLock lock(&mutex_);
    if (round == round_ && !busy_) Schedule(options_.backoff.max);
  });
  // What is told stands already.
  options_.board->Next(Exchange::kCertificate, next);
}

IdentityKeeper::Step IdentityKeeper::Choose(
    const std::optional<Renewal>& renewal) {
  const bool may_ask = options_.clock->SinceBoot() >= ask_from_;
  if (renewal.has_value() && renewal->confirmed()) return Step::kConfirm;
  if (HasAnswer(renewal) && (!recover_ || !proof_failed_ || !may_ask)) {
    return Step::kProve;
  }
  if (recover_) return may_ask ? Step::kRecover : Step::kIdle;
  if (connected_ != wished_) return Step::kReconnect;
  return options_.clock->Now() >= renews_at_ &&
                 options_.clock->SinceBoot() >= renew_from_
             ? Step::kRenew
             : Step::kIdle;
}

void IdentityKeeper::Run(uint64_t round) {
  absl::StatusOr<std::optional<Renewal>> renewal;
  std::string chain;
  std::string key;
  {
    absl::MutexLock lock(&options_.state->mutex);
    const StateDirectory& state = *options_.state->directory;
    renewal = state.LoadRenewal();
    chain = state.LoadCertificateChain().value_or(std::nullopt).value_or("");
    key = state.tls_key().ToPem();
  }
  Step step = Step::kIdle;
  {
    absl::MutexLock lock(&mutex_);
    if (busy_ || round != round_) return;
    busy_ = true;
    const absl::Time now = options_.clock->Now();
    // The clock was ahead when the life began, and has been set.
    if (now < life_.begin && now < renews_at_) Plan();
    if (renewal.ok()) step = Choose(*renewal);
  }
  if (!renewal.ok()) return Failed(renewal.status(), false);
  if (step != Step::kIdle) options_.board->Attempted(Exchange::kCertificate);
  switch (step) {
    case Step::kIdle:
      return Rest();
    case Step::kRenew:
      return Renew();
    case Step::kRecover:
      return Recover();
    case Step::kProve:
      return Prove((*renewal)->certificate_chain_pem(), (*renewal)->key_pem(),
                   true);
    case Step::kReconnect:
      return Prove(chain, key, false);
    case Step::kConfirm:
      return Confirm();
  }
}

void IdentityKeeper::Done(absl::Duration pause) {
  absl::MutexLock lock(&mutex_);
  busy_ = false;
  Schedule(pause);
}

void IdentityKeeper::Rest() {
  absl::MutexLock lock(&mutex_);
  busy_ = false;
  const absl::Duration now = options_.clock->SinceBoot();
  // Until the renewal, or the moment from which the service may be asked;
  // unless somebody has wished for another connection meanwhile.
  absl::Duration wait =
      std::max(renews_at_ - options_.clock->Now(), renew_from_ - now);
  if (recover_) {
    wait = ask_from_ - now;
  } else if (connected_ != wished_) {
    wait = absl::ZeroDuration();
  }
  Schedule(std::clamp(wait, absl::ZeroDuration(), kLookAgain));
}

void IdentityKeeper::Failed(const absl::Status& status, bool asked) {
  options_.board->Failed(Exchange::kCertificate, status);
  const Verdict verdict = VerdictOf(status);
  if (verdict == Verdict::kStop) Stop(status);
  const bool refused =
      asked && (verdict == Verdict::kStop ||
                ReasonOf(status) == v1::ERROR_REASON_CREDENTIALS_REFUSED);
  absl::Duration pause;
  {
    absl::MutexLock lock(&mutex_);
    if (verdict == Verdict::kRecover) recover_ = true;
    const absl::Duration now = options_.clock->SinceBoot();
    if (refused) {
      ask_from_ = now + AskAgainAfter(++refusals_, Draw());
    } else if (asked && suspected_ && stopped_.ok()) {
      // Nobody answered, and it may have been a passing trouble.
      ask_from_ = now + AskAgainAfter(1, Draw());
      recover_ = false;
    } else if (IsUnreachable(status) && Expired()) {
      recover_ = true;
      suspected_ = false;
    }
    const absl::Duration at_least =
        RetryAfter(status, v1::Pacing()) * (1 + kJitter * Draw());
    pause = IsRefusal(status) && verdict != Verdict::kRecover
                ? std::max(at_least, Jittered(options_.backoff.max, kJitter,
                                              options_.draw))
                : backoff_.Next(at_least);
    if (recover_) pause = std::max(pause, ask_from_ - now);
  }
  if (refused) options_.board->SetIdentity(status);
  TellNearEnd();
  Done(pause);
}

void IdentityKeeper::TellNearEnd() {
  v1::ClusterEvent event;
  {
    absl::MutexLock lock(&mutex_);
    if (near_end_told_ || !IsNearEnd(life_, options_.clock->Now())) return;
    near_end_told_ = true;
    event.set_type(v1::CLUSTER_EVENT_TYPE_CERTIFICATE_EXPIRING);
    *event.mutable_certificate()->mutable_not_after() = mc::ToProto(life_.end);
  }
  if (options_.events != nullptr) options_.events->Raise(std::move(event));
}

void IdentityKeeper::Stop(const absl::Status& status) {
  {
    absl::MutexLock lock(&mutex_);
    const bool again = ReasonOf(stopped_) == ReasonOf(status);
    stopped_ = status;
    if (again || !started_) return;
    recover_ = true;
    if (refusals_ == 0) {
      ask_from_ =
          options_.clock->SinceBoot() + AskAgainAfter(++refusals_, Draw());
    }
    if (!busy_) Schedule(ask_from_ - options_.clock->SinceBoot());
  }
  Tell();
}

void IdentityKeeper::Resume() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = absl::OkStatus();
  }
  options_.board->Withdrawn(Exchange::kCertificate);
  Tell();
}

void IdentityKeeper::Tell() {
  absl::MutexLock telling(&telling_);
  absl::Status stopped;
  {
    absl::MutexLock lock(&mutex_);
    stopped = stopped_;
  }
  options_.board->SetIdentity(stopped);
  options_.on_stopped(stopped);
}

}  // namespace mc::agent
