#include "common/metrics/metrics.h"

#include <prometheus/text_serializer.h>

namespace mc {

Metrics::Metrics() = default;

prometheus::Counter& Metrics::AddCounter(const std::string& name,
                                         const std::string& help) {
  return prometheus::BuildCounter()
      .Name("mission_control_" + name)
      .Help(help)
      .Register(registry_)
      .Add({});
}

prometheus::Gauge& Metrics::AddGauge(const std::string& name,
                                     const std::string& help) {
  return prometheus::BuildGauge()
      .Name("mission_control_" + name)
      .Help(help)
      .Register(registry_)
      .Add({});
}

prometheus::Histogram& Metrics::AddHistogram(const std::string& name,
                                             const std::string& help,
                                             std::vector<double> bounds) {
  return prometheus::BuildHistogram()
      .Name("mission_control_" + name)
      .Help(help)
      .Register(registry_)
      .Add({}, std::move(bounds));
}

void Metrics::AddGauge(const std::string& name, const std::string& help,
                       std::function<double()> read) {
  prometheus::Gauge& gauge = AddGauge(name, help);
  absl::MutexLock lock(&mutex_);
  read_.emplace_back(&gauge, std::move(read));
}

std::string Metrics::Text() const {
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [gauge, read] : read_) gauge->Set(read());
  }
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

std::vector<double> LatencyBounds() {
  return {0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
          0.1,    0.25,   0.5,   1,      2.5,   5,    10};
}

RpcMetrics::RpcMetrics(Metrics* metrics)
    : calls_(prometheus::BuildCounter()
                 .Name("mission_control_rpc_calls_total")
                 .Help("Calls that ended, by method and status code.")
                 .Register(metrics->registry())),
      latency_(prometheus::BuildHistogram()
                   .Name("mission_control_rpc_seconds")
                   .Help("How long calls took, by method.")
                   .Register(metrics->registry())) {}

void RpcMetrics::Observe(std::string_view method, absl::StatusCode code,
                         absl::Duration latency) {
  prometheus::Counter* calls = nullptr;
  prometheus::Histogram* histogram = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    auto found = methods_.find(method);
    if (found == methods_.end()) {
      const std::string name(method);
      found = methods_
                  .emplace(name, Method{{},
                                        &latency_.Add({{"method", name}},
                                                      LatencyBounds())})
                  .first;
    }
    prometheus::Counter*& counter = found->second.calls[code];
    if (counter == nullptr) {
      counter = &calls_.Add(
          {{"method", found->first}, {"code", absl::StatusCodeToString(code)}});
    }
    calls = counter;
    histogram = found->second.latency;
  }
  calls->Increment();
  histogram->Observe(absl::ToDoubleSeconds(latency));
}

}  // namespace mc
