// Who may call, how often, and what the services do with a call.
#include <functional>
#include <string>

#include "common/time/proto_time.h"
#include "mc-service/api/cluster_calls.h"
#include "mc-service/domain/findings/gaps.h"
#include "mc-service/enroll/client_address.h"
#include "mc-service/service_graph.h"

namespace mc::service {
namespace {

// A beat is cheaper than a call, and a site sends one for each of its nodes.
constexpr int64_t kBeatsForACall = 10;

}  // namespace

Guard::Options ServiceGraph::GuardOptions() {
  Guard::Options options;
  options.trust_domain = around.values.trust_domain();
  options.find_cluster = [this](std::string_view id) {
    return clusters.Registered(id);
  };
  options.admit_key = [this](const PeerIdentity& identity) {
    return renewals.Admit({identity.id, identity.spki_sha256,
                           identity.serial_hex, identity.not_after});
  };
  options.find_operator = [this](std::string_view name) {
    return operators.Find(name);
  };
  options.clock = around.clock;
  options.identities = &identities;
  options.real_peer = std::bind_front(&Listeners::RealPeer, around.listeners);
  return options;
}

CallLimit::Options ServiceGraph::CallLimitOptions() {
  prometheus::Counter& limited = around.metrics->AddCounter(
      "calls_rate_limited_total",
      "Calls that were refused because their cluster had made too many.");
  CallLimit::Options options;
  options.calls_per_second = static_cast<double>(
      around.values.limits().calls_per_second_per_cluster());
  options.clock = around.clock;
  options.identities = &identities;
  options.on_refused = [&limited] { limited.Increment(); };
  options.on_offender = [this](std::string_view, std::string_view peer) {
    around.listeners->Cut(Listener::kCluster, peer, "it calls far too often");
  };
  return options;
}

CallRunner::Options ServiceGraph::CallOptions() {
  CallRunner::Options options;
  options.executor = &executor;
  options.guard = &guard;
  options.limit = &call_limit;
  options.metrics = &rpc_metrics;
  options.exchanges = &exchanges;
  options.clock = around.clock;
  options.overload_slots = &overload_slots;
  return options;
}

// Behind a front the front has limited addresses; licenses are limited here,
// where all calls come together.
CallRunner::Options ServiceGraph::EnrollmentCallOptions() {
  CallRunner::Options options = CallOptions();
  options.limit = nullptr;
  const bool front = around.values.has_enrollment_front();
  const auto address = [front](const grpc::CallbackServerContext& context,
                               const Caller& caller) {
    return front ? AddressFromFront(context) : AddressOf(caller.peer);
  };
  if (!front) {
    options.may_wait = [this](std::string_view peer) {
      return enrollment_limits.TakeAddress(
          AddressOf(around.listeners->RealPeer(Listener::kEnrollment, peer)));
    };
  }
  options.admit = [=, this](const grpc::CallbackServerContext& context,
                            const Caller& caller,
                            const google::protobuf::Message* request) {
    return enrollment_limits.TakeLicense(address(context, caller), request);
  };
  options.ended = [=, this](const grpc::CallbackServerContext& context,
                            const Caller& caller, std::string_view full_method,
                            const absl::Status& status) {
    enrollment_limits.Ended(full_method, address(context, caller), status);
  };
  return options;
}

ClusterService::Options ServiceGraph::ClusterOptions() {
  const config::Limits& limits = around.values.limits();
  ClusterService::Options options;
  options.calls = &calls;
  options.streams.check = std::bind_front(&ServiceGraph::CheckStream, this);
  options.streams.executor = &executor;
  options.streams.clock = around.clock;
  options.streams.registry = &streams;
  options.streams.metrics = &rpc_metrics;
  options.streams.slow_reader_timeout =
      *FromProto(limits.slow_reader_timeout());
  options.streams.exchanges = &exchanges;
  options.streams.limit = &call_limit;
  options.streams.overload_slots = &overload_slots;
  options.max_reports_per_cluster =
      static_cast<size_t>(limits.max_reports_per_cluster());
  options.reports = &reports;
  options.heartbeats.presence = &presence;
  options.heartbeats.max_per_tick = kBeatsForACall *
                                    absl::ToInt64Seconds(kWatchInterval) *
                                    limits.calls_per_second_per_cluster();
  if (around.values.pacing().has_heartbeat_interval()) {
    options.heartbeats.interval =
        *FromProto(around.values.pacing().heartbeat_interval());
  }
  options.check_license = std::bind_front(CheckLicense, std::cref(licenses));
  options.check_updates = std::bind_front(CheckUpdates, std::cref(updates));
  options.renew_certificate =
      std::bind_front(RenewCertificate, std::ref(renewals));
  return options;
}

FleetService::Options ServiceGraph::FleetOptions() {
  FleetService::Options options;
  options.calls = &calls;
  options.store = store();
  options.clock = around.clock;
  options.releases = &releases;
  options.operators = &operator_desk;
  options.exchanges = &exchanges;
  options.streams = &streams;
  options.guard = &guard;
  options.executor = &executor;
  options.metrics = &rpc_metrics;
  options.cluster_changed =
      std::bind_front(&ServiceGraph::ClusterChanged, this);
  options.suspicion_ended =
      std::bind_front(&Presence::EndCloneSuspicion, &presence);
  options.has_gap = HasGap;
  return options;
}

}  // namespace mc::service
