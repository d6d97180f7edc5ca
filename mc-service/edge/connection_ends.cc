#include "mc-service/edge/connection_ends.h"

#include <utility>

#include "common/log/log.h"

namespace mc::service {
namespace {

constexpr absl::Duration kReportInterval = absl::Seconds(10);

}  // namespace

std::string_view EndReasonName(EndReason reason) {
  switch (reason) {
    case EndReason::kConnections:
      return "max_connections";
    case EndReason::kSiteConnections:
      return "max_connections_per_address";
    case EndReason::kDescriptors:
      return "no_descriptors";
    case EndReason::kProxyHeader:
      return "proxy_header";
    case EndReason::kNotTls:
      return "not_tls";
    case EndReason::kSilent:
      return "silent";
    case EndReason::kHandshakeQueue:
      return "handshake_queue_full";
    case EndReason::kHandshakeTimeout:
      return "handshake_timeout";
    case EndReason::kTooMuch:
      return "max_bytes_per_second";
    case EndReason::kSlowReader:
      return "slow_reader";
    case EndReason::kOffender:
      return "offender";
  }
  return "unknown";
}

ConnectionEnds::ConnectionEnds(std::string listener)
    : listener_(std::move(listener)) {}

void ConnectionEnds::Count(EndReason reason, std::string_view peer,
                           std::string_view why) {
  {
    absl::MutexLock lock(&mutex_);
    ++counts_[static_cast<size_t>(reason)];
    if (!IsCut(reason)) {
      last_refused_ = peer;
      return;
    }
    if (++cuts_ > kLoggedCuts) return;
  }
  LogWarning("a connection was cut",
             {{"listener", listener_},
              {"peer", peer},
              {"reason", why.empty() ? EndReasonName(reason) : why}});
}

void ConnectionEnds::Report(absl::Duration since_boot) {
  EndCounts fresh = {};
  std::string last;
  int untold = 0;
  {
    absl::MutexLock lock(&mutex_);
    if (since_boot < report_at_) return;
    if (cuts_ > 0) report_at_ = since_boot + kReportInterval;
    untold = std::exchange(cuts_, 0) - kLoggedCuts;
    for (size_t i = 0; i < fresh.size(); ++i) {
      if (IsCut(static_cast<EndReason>(i))) continue;
      fresh[i] = counts_[i] - reported_[i];
      if (fresh[i] > 0) report_at_ = since_boot + kReportInterval;
    }
    reported_ = counts_;
    last = last_refused_;
  }
  if (untold > 0) {
    LogWarning("more connections were cut",
               {{"listener", listener_}, {"count", untold}});
  }
  for (size_t i = 0; i < fresh.size(); ++i) {
    if (fresh[i] == 0) continue;
    LogWarning("connections were refused",
               {{"listener", listener_},
                {"reason", EndReasonName(static_cast<EndReason>(i))},
                {"count", fresh[i]},
                {"last_peer", last}});
  }
}

EndCounts ConnectionEnds::counts() const {
  absl::MutexLock lock(&mutex_);
  return counts_;
}

}  // namespace mc::service
