#include "cluster-agent/exchange/status_board.h"

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/identity/renewal_plan.h"
#include "cluster-agent/exchange/pacer.h"
#include "common/log/log.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr std::array<std::string_view, kExchanges> kNames = {
    "installation", "registration",   "license",
    "health_check", "consumption",    "heartbeat",
    "updates",      "cluster_events", "certificate",
};

}  // namespace

std::string_view ExchangeName(Exchange exchange) {
  return kNames[static_cast<size_t>(exchange)];
}

void StatusBoard::Attempted(Exchange exchange) {
  const absl::Time now = clock_->Now();
  absl::MutexLock lock(&mutex_);
  *At(exchange).status.mutable_last_attempt_at() = mc::ToProto(now);
}

void StatusBoard::Succeeded(Exchange exchange) {
  const absl::Time now = clock_->Now();
  absl::MutexLock lock(&mutex_);
  Record& record = At(exchange);
  record.status.set_succeeded(record.status.succeeded() + 1);
  record.status.clear_last_error();
  *record.status.mutable_last_success_at() = mc::ToProto(now);
  if (!record.refusal_key.empty()) {
    LogInfo("no longer refused", {{"exchange", ExchangeName(exchange)}});
  }
  record.refusal.clear();
  record.refusal_key.clear();
}

void StatusBoard::Failed(Exchange exchange, const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  Record& record = At(exchange);
  record.status.set_failed(record.status.failed() + 1);
  record.status.set_last_error(
      absl::StrCat(ResultName(status), ": ", status.message()));
  if (!IsRefusal(status)) return;
  record.refusal = Advice(status);
  const std::string key = ResultName(status);
  if (record.refusal_key == key) return;
  record.refusal_key = key;
  LogWarning("refused", {{"exchange", ExchangeName(exchange)},
                         {"result", key},
                         {"detail", record.refusal}});
}

void StatusBoard::Withdrawn(Exchange exchange) {
  absl::MutexLock lock(&mutex_);
  At(exchange).refusal.clear();
  At(exchange).refusal_key.clear();
}

void StatusBoard::Next(Exchange exchange, absl::Time at) {
  absl::MutexLock lock(&mutex_);
  Record& record = At(exchange);
  if (at == absl::InfiniteFuture()) {
    record.status.clear_next_attempt_at();
  } else {
    *record.status.mutable_next_attempt_at() = mc::ToProto(at);
  }
}

void StatusBoard::Reached() {
  absl::MutexLock lock(&mutex_);
  if (reached_) return;
  reached_ = true;
  unreachable_.clear();
  unreachable_detail_.clear();
  cause_.clear();
  LogInfo("the service answers");
}

void StatusBoard::Unreachable(std::string_view address,
                              const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  reached_ = false;
  const bool news = unreachable_ != address;
  unreachable_ = std::string(address);
  unreachable_detail_ = std::string(status.message());
  if (!news) return;
  cause_.clear();
  LogWarning("waiting for the service; it is tried again until it answers",
             {{"address", address}, {"detail", unreachable_detail_}});
}

void StatusBoard::Explain(std::string_view address, std::string_view cause) {
  absl::MutexLock lock(&mutex_);
  if (unreachable_ != address || cause_ == cause) return;
  cause_ = std::string(cause);
  if (cause_.empty()) return;
  LogWarning("why the service cannot be reached",
             {{"address", address}, {"detail", cause_}});
}

void StatusBoard::Registered() {
  absl::MutexLock lock(&mutex_);
  registered_ = true;
}

void StatusBoard::SetIdentity(const absl::Status& trouble) {
  absl::MutexLock lock(&mutex_);
  const bool news = ReasonOf(identity_) != ReasonOf(trouble);
  const bool had = !identity_.ok();
  identity_ = trouble;
  if (!news) return;
  if (!trouble.ok()) {
    LogError("the service does not take this cluster",
             {{"result", ResultName(trouble)}, {"detail", Advice(trouble)}});
  } else if (had) {
    LogInfo("the service takes this cluster again");
  }
}

void StatusBoard::SetRenewal(absl::Time at) {
  absl::MutexLock lock(&mutex_);
  *last_.mutable_certificate_renews_at() = mc::ToProto(at);
}

void StatusBoard::SetHealth(const v1::HealthCheckResult& result) {
  absl::MutexLock lock(&mutex_);
  *last_.mutable_last_health() = result;
}

void StatusBoard::SetConsumption(const v1::ConsumptionResult& result) {
  absl::MutexLock lock(&mutex_);
  *last_.mutable_last_consumption() = result;
}

void StatusBoard::SetBacklog(int64_t confirmed, int64_t total) {
  absl::MutexLock lock(&mutex_);
  last_.set_backlog_confirmed(confirmed);
  last_.set_backlog_total(total);
}

void StatusBoard::SetUpdates(const std::vector<std::string>& available) {
  absl::MutexLock lock(&mutex_);
  last_.clear_available_updates();
  for (const std::string& update : available) {
    last_.add_available_updates(update);
  }
}

v1::ConnectionState StatusBoard::State() const {
  if (!identity_.ok()) return v1::CONNECTION_STATE_WAITING;
  if (!unreachable_.empty()) return v1::CONNECTION_STATE_WAITING;
  if (!registered_) return v1::CONNECTION_STATE_ENROLLING;
  return reached_ ? v1::CONNECTION_STATE_CONNECTED
                  : v1::CONNECTION_STATE_WAITING;
}

std::string StatusBoard::WaitingFor() const {
  if (!identity_.ok()) return Advice(identity_);
  if (!unreachable_.empty() && !cause_.empty()) {
    return absl::StrCat("the service at ", unreachable_, ": ", cause_);
  }
  if (!unreachable_.empty()) {
    return absl::StrCat("the service at ", unreachable_,
                        " does not answer; check the address, the network and "
                        "the certificates (",
                        unreachable_detail_, ")");
  }
  for (const Record& record : records_) {
    if (!record.refusal.empty()) return record.refusal;
  }
  if (!registered_) return "the answer to the registration";
  if (!reached_) return "the service's first answer";
  return "";
}

void StatusBoard::Fill(v1::GetStatusResponse& status) const {
  absl::MutexLock lock(&mutex_);
  status.MergeFrom(last_);
  // Whoever was refused by the service is registered no more.
  const bool refused = VerdictOf(identity_) == Verdict::kStop;
  status.set_registration_state(registered_ && !refused
                                    ? v1::REGISTRATION_STATE_REGISTERED
                                    : v1::REGISTRATION_STATE_NOT_REGISTERED);
  status.set_connection_state(State());
  status.set_waiting_for(WaitingFor());
  for (int i = 0; i < kExchanges; ++i) {
    v1::ExchangeStatus& exchange = *status.add_exchanges();
    exchange = records_[i].status;
    exchange.set_name(std::string(kNames[i]));
  }
}

}  // namespace mc::agent
