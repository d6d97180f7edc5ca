#include "mc-service/edge/listeners.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "common/tls/guard_reads.h"
#include "mc-service/edge/edge_metrics.h"
#include "mc-service/edge/edge_settings.h"
#include "mc-service/edge/frame_limits.h"

namespace mc::service {
namespace {

const config::Listener& SettingsOf(const config::Listeners& listeners,
                                   Listener listener) {
  switch (listener) {
    case Listener::kCluster:
      return listeners.cluster();
    case Listener::kOperator:
      return listeners.operator_();
    default:
      return listeners.enrollment();
  }
}

ListenerServer::Options OptionsOf(const config::ServiceConfig& values,
                                  const Listeners::Served& served, bool alone,
                                  int64_t descriptors) {
  const config::Limits& limits = values.limits();
  const config::Listener& settings =
      SettingsOf(values.listeners(), served.listener);
  ListenerServer::Options options;
  options.listener = served.listener;
  options.address = settings.address();
  options.reflection = settings.reflection();
  options.max_message_bytes =
      std::min(served.max_message_bytes, limits.max_message_bytes());
  options.memory_quota_bytes = limits.memory_quota_bytes();
  options.limits = AcceptorLimits(
      limits, alone ? Listener::kEvery : served.listener, descriptors);
  options.proxies = Proxies(settings);
  options.services = {served.service};
  options.admit = served.admit;
  options.service_names = {served.service_name};
  return options;
}

}  // namespace

Listeners::~Listeners() { End(); }

absl::Status Listeners::Start(const config::ServiceConfig& values,
                              const std::vector<Served>& served,
                              ListenerTls* tls, const Clock* clock,
                              Metrics* metrics) {
  GuardFrames(values.limits().calls_per_second_per_cluster(), clock, metrics);
  const int64_t descriptors = DescriptorsForConnections();
  std::vector<EdgeFigures> figures;
  for (const Served& each : served) {
    ListenerServer::Options options =
        OptionsOf(values, each, served.size() == 1, descriptors);
    options.clock = clock;
    auto credentials =
        tls->Add(each.listener, SettingsOf(values.listeners(), each.listener));
    if (!credentials.ok()) return credentials.status();
    options.credentials = *std::move(credentials);
    auto started = ListenerServer::Start(options);
    if (!started.ok()) return started.status();
    ListenerServer* server = servers_.emplace_back(*std::move(started)).get();
    table_[static_cast<size_t>(each.listener)] = server;
    figures.push_back({std::string(ListenerName(each.listener)),
                       [server] { return server->figures(); }});
  }
  AddEdgeFigures(std::move(figures), metrics);
  return absl::OkStatus();
}

void Listeners::SetServing(bool serving) {
  for (const auto& server : servers_) server->SetServing(serving);
}

void Listeners::Shutdown(absl::Time deadline) {
  std::vector<std::thread> threads;
  for (const auto& server : servers_) {
    threads.emplace_back([&server, deadline] { server->Shutdown(deadline); });
  }
  for (std::thread& thread : threads) thread.join();
}

void Listeners::End() {
  servers_.clear();
  for (auto& server : table_) server = nullptr;
  StopGuardingReads();
}

std::string Listeners::RealPeer(Listener listener,
                                std::string_view peer) const {
  const ListenerServer* server = Find(listener);
  return server == nullptr ? std::string(peer) : server->RealPeer(peer);
}

bool Listeners::Cut(Listener listener, std::string_view peer,
                    std::string_view why) const {
  ListenerServer* server = Find(listener);
  return server != nullptr && server->Cut(peer, why);
}

ListenerServer* Listeners::Find(Listener listener) const {
  return table_[static_cast<size_t>(listener)];
}

}  // namespace mc::service
