// A master's site for tests: CA, registry and simulated time.
#ifndef MC_CLUSTER_AGENT_DOMAIN_SITE_FIXTURE_H_
#define MC_CLUSTER_AGENT_DOMAIN_SITE_FIXTURE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "cluster-agent/domain/events/recording_sink.h"
#include "cluster-agent/domain/site/node_registry.h"
#include "cluster-agent/domain/site/site_authority.h"
#include "common/crypto/csr.h"
#include "common/crypto/key.h"
#include "common/files/temp_dir.h"
#include "gtest/gtest.h"

namespace mc::agent {

inline constexpr char kCluster[] = "5f9c3d1e-0000-4000-8000-00000000c1c1";
inline constexpr char kMaster[] = "5f9c3d1e-0000-4000-8000-000000000000";
inline constexpr char kNodeA[] = "5f9c3d1e-0000-4000-8000-00000000000a";
inline constexpr char kNodeB[] = "5f9c3d1e-0000-4000-8000-00000000000b";
inline constexpr absl::Duration kSilentAfter = absl::Seconds(90);

struct SiteFixture {
  // As after a start of the master.
  void Open(
      std::function<absl::StatusOr<std::string>()> standing_token = nullptr) {
    registry = nullptr;
    authority = *SiteAuthority::Open({.state_directory = dir.path(),
                                      .ca_certificate_file = "",
                                      .ca_key_file = "",
                                      .cluster_id = kCluster});
    auto opened =
        NodeRegistry::Open({.state_directory = dir.path(),
                            .authority = &*authority,
                            .clock = &clock,
                            .executor = &executor,
                            .silent_after = kSilentAfter,
                            .master_node_id = kMaster,
                            .events = &events,
                            .standing_token = std::move(standing_token)});
    ASSERT_TRUE(opened.ok()) << opened.status();
    registry = *std::move(opened);
  }

  std::string Token(int uses = 1) {
    return registry->CreateToken(absl::Hours(1), uses)->token;
  }
  static missioncontrol::v1::JoinRequest Request(const std::string& token,
                                                 const std::string& node_id,
                                                 const PrivateKey& key) {
    missioncontrol::v1::JoinRequest request;
    request.set_token(token);
    request.set_node_id(node_id);
    request.set_certificate_signing_request(BuildCsrDer(key));
    request.set_agent_version("1.2.3");
    return request;
  }
  absl::StatusOr<IssuedCertificate> Join(const std::string& token,
                                         const std::string& node_id) {
    return registry->Join(Request(token, node_id, PrivateKey::GenerateP256()));
  }

  TempDir dir;
  RecordingSink events;
  // Certificates are checked by the real clock, too.
  SimulatedClock clock{RealClock().Now()};
  Executor executor{1, 100};
  std::optional<SiteAuthority> authority;
  std::unique_ptr<NodeRegistry> registry;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_SITE_FIXTURE_H_
