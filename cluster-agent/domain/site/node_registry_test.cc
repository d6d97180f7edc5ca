#include "cluster-agent/domain/site/node_registry.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "cluster-agent/domain/site/fixture.h"
#include "cluster-agent/domain/site/join_token.h"
#include "common/crypto/digest.h"
#include "common/files/files.h"
#include "common/status/status.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

class NodeRegistryTest : public testing::Test {
 protected:
  NodeRegistryTest() { site_.Open(); }
  ~NodeRegistryTest() override { site_.executor.Shutdown(); }

  NodeRegistry& registry() { return *site_.registry; }
  v1::NodeState StateOf(const std::string& node_id) {
    for (const KnownNode& node : registry().Nodes()) {
      if (node.node_id == node_id) return node.state;
    }
    return v1::NODE_STATE_UNSPECIFIED;
  }
  // What the executor was given before is over.
  void Settle() {
    absl::Notification done;
    ASSERT_TRUE(site_.executor.TryRun([&] { done.Notify(); }));
    done.WaitForNotification();
  }

  SiteFixture site_;
};

TEST_F(NodeRegistryTest, ATokenIsGoodForItsUsesAlone) {
  const std::string token = site_.Token(2);
  EXPECT_TRUE(site_.Join(token, kNodeA).ok());
  EXPECT_TRUE(site_.Join(token, kNodeB).ok());
  EXPECT_EQ(ReasonOf(site_.Join(token, RandomUuid()).status()),
            v1::ERROR_REASON_JOIN_TOKEN_REFUSED);
}

TEST_F(NodeRegistryTest, TheSameRequestAgainUsesNothingUp) {
  const PrivateKey key = PrivateKey::GenerateP256();
  const v1::JoinRequest request =
      SiteFixture::Request(site_.Token(), kNodeA, key);
  const auto first = registry().Join(request);
  ASSERT_TRUE(first.ok()) << first.status();
  site_.Open();
  const auto second = registry().Join(request);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(ReasonOf(registry().Admit(kNodeA, first->serial_hex)),
            v1::ERROR_REASON_IDENTITY_REVOKED);
  EXPECT_TRUE(registry().Admit(kNodeA, second->serial_hex).ok());
  EXPECT_EQ(ReasonOf(site_.Join(request.token(), kNodeA).status()),
            v1::ERROR_REASON_JOIN_TOKEN_REFUSED)
      << "another key is another request";
}

TEST_F(NodeRegistryTest, ATokenEnds) {
  const std::string token = site_.Token();
  site_.clock.Advance(absl::Hours(1));
  EXPECT_EQ(ReasonOf(site_.Join(token, kNodeA).status()),
            v1::ERROR_REASON_JOIN_TOKEN_REFUSED);
  EXPECT_EQ(ReasonOf(site_.Join("mcj1.guess", kNodeA).status()),
            v1::ERROR_REASON_JOIN_TOKEN_REFUSED);
  EXPECT_TRUE(registry().Nodes().empty());
}

TEST_F(NodeRegistryTest, TheSecretItselfIsNotKept) {
  const std::string token = site_.Token();
  const std::string kept = *ReadFile(site_.dir.File(kSiteNodesFile));
  EXPECT_EQ(kept.find(ParseJoinToken(token)->secret), std::string::npos);
}

TEST_F(NodeRegistryTest, TheStandingTokenIsGoodAsLongAsItsFileIsThere) {
  const std::string file = site_.dir.File("join.token");
  site_.Open([file] { return ReadPrivateFile(file); });
  const std::string token =
      FormatJoinToken(NewJoinToken(site_.authority->ca_der()));
  EXPECT_FALSE(site_.Join(token, kNodeA).ok());
  ASSERT_TRUE(AtomicWrite(file, token + "\n", 0600).ok());
  EXPECT_TRUE(site_.Join(token, kNodeA).ok());
  EXPECT_TRUE(site_.Join(token, kNodeB).ok());
  ASSERT_EQ(std::remove(file.c_str()), 0);
  EXPECT_EQ(ReasonOf(site_.Join(token, kNodeA).status()),
            v1::ERROR_REASON_JOIN_TOKEN_REFUSED);
}

TEST_F(NodeRegistryTest, OnlyNodesCanJoinAndNotAsTheMaster) {
  const std::string token = site_.Token();
  for (const char* id : {"", "host-1", kMaster}) {
    EXPECT_EQ(ReasonOf(site_.Join(token, id).status()),
              v1::ERROR_REASON_INVALID_FIELD)
        << id;
  }
  v1::JoinRequest request =
      SiteFixture::Request(token, kNodeA, PrivateKey::GenerateP256());
  request.set_certificate_signing_request("no request");
  EXPECT_EQ(ReasonOf(registry().Join(request).status()),
            v1::ERROR_REASON_CSR_MALFORMED);
  EXPECT_TRUE(site_.Join(token, kNodeA).ok()) << "none of these used it";
}

TEST_F(NodeRegistryTest, TheOlderCertificateIsGoodUntilTheNewerIsUsed) {
  const auto first = site_.Join(site_.Token(), kNodeA);
  const auto lost =
      registry().Renew(kNodeA, BuildCsrDer(PrivateKey::GenerateP256()));
  const auto newer =
      registry().Renew(kNodeA, BuildCsrDer(PrivateKey::GenerateP256()));
  ASSERT_TRUE(newer.ok()) << newer.status();
  EXPECT_TRUE(registry().Admit(kNodeA, first->serial_hex).ok());
  EXPECT_TRUE(registry().Admit(kNodeA, newer->serial_hex).ok());
  Settle();
  site_.Open();
  EXPECT_TRUE(registry().Admit(kNodeA, newer->serial_hex).ok());
  EXPECT_EQ(ReasonOf(registry().Admit(kNodeA, first->serial_hex)),
            v1::ERROR_REASON_IDENTITY_REVOKED);
  EXPECT_EQ(ReasonOf(registry().Admit(kNodeA, lost->serial_hex)),
            v1::ERROR_REASON_IDENTITY_REVOKED);
}

TEST_F(NodeRegistryTest, LostRenewalsDoNotPileUp) {
  const auto first = site_.Join(site_.Token(), kNodeA);
  std::string newest;
  for (int i = 0; i < 10; ++i) {
    newest = registry()
                 .Renew(kNodeA, BuildCsrDer(PrivateKey::GenerateP256()))
                 ->serial_hex;
  }
  EXPECT_TRUE(registry().Admit(kNodeA, first->serial_hex).ok());
  EXPECT_TRUE(registry().Admit(kNodeA, newest).ok());
  EXPECT_LT(ReadFile(site_.dir.File(kSiteNodesFile))->size(), 2000u);
}

TEST_F(NodeRegistryTest, SilenceIsCountedWithoutTheWallClock) {
  ASSERT_TRUE(site_.Join(site_.Token(), kNodeA).ok());
  EXPECT_EQ(StateOf(kNodeA), v1::NODE_STATE_JOINED);
  registry().Report(kNodeA, v1::NodeReport());
  EXPECT_EQ(StateOf(kNodeA), v1::NODE_STATE_LIVE);
  site_.clock.SetNow(site_.clock.Now() + absl::Hours(24 * 365));
  EXPECT_EQ(StateOf(kNodeA), v1::NODE_STATE_LIVE);
  site_.clock.Advance(kSilentAfter - absl::Seconds(1));
  EXPECT_EQ(StateOf(kNodeA), v1::NODE_STATE_LIVE);
  site_.clock.Advance(absl::Seconds(1));
  EXPECT_EQ(StateOf(kNodeA), v1::NODE_STATE_SILENT);
  registry().Report(kNodeA, v1::NodeReport());
  EXPECT_EQ(StateOf(kNodeA), v1::NODE_STATE_LIVE);
}

TEST_F(NodeRegistryTest, ARestartedMasterKnowsWhoIsMissing) {
  ASSERT_TRUE(site_.Join(site_.Token(), kNodeA).ok());
  v1::NodeReport report;
  report.mutable_node()->set_cpu_cores(16);
  registry().Report(kNodeA, report);
  registry().SaveReports();
  site_.Open();
  EXPECT_EQ(StateOf(kNodeA), v1::NODE_STATE_JOINED);
  site_.clock.Advance(kSilentAfter);
  EXPECT_EQ(StateOf(kNodeA), v1::NODE_STATE_SILENT);
  const KnownNode node = registry().Nodes().at(0);
  EXPECT_EQ(node.report.node().cpu_cores(), 16);
  EXPECT_TRUE(node.last_report_at.has_value());
  EXPECT_EQ(node.agent_version, "1.2.3");
}

TEST_F(NodeRegistryTest, LostReportsAreNoReasonNotToStart) {
  ASSERT_TRUE(site_.Join(site_.Token(), kNodeA).ok());
  ASSERT_TRUE(
      AtomicWrite(site_.dir.File("site-reports.json"), "{ half", 0600).ok());
  site_.Open();
  EXPECT_EQ(registry().Nodes().size(), 1u);
}

TEST_F(NodeRegistryTest, DamagedNodesAreNotForgotten) {
  const auto open = [this] {
    return NodeRegistry::Open({.state_directory = site_.dir.path(),
                               .authority = &*site_.authority,
                               .clock = &site_.clock,
                               .executor = &site_.executor,
                               .master_node_id = kMaster})
        .status();
  };
  for (const char* text : {"{ half", R"({"nodes": [{"nodeId": "x"}]})"}) {
    ASSERT_TRUE(AtomicWrite(site_.dir.File(kSiteNodesFile), text, 0600).ok());
    EXPECT_TRUE(absl::IsDataLoss(open())) << text;
  }
}

TEST_F(NodeRegistryTest, ARemovedNodeIsRefusedAndMayJoinAgain) {
  const auto issued = site_.Join(site_.Token(), kNodeA);
  std::string removed;
  registry().SetOnRemoved([&](const std::string& id) { removed = id; });
  ASSERT_TRUE(registry().Remove(kNodeA).ok());
  EXPECT_EQ(removed, kNodeA);
  EXPECT_EQ(ReasonOf(registry().Admit(kNodeA, issued->serial_hex)),
            v1::ERROR_REASON_NODE_REMOVED);
  registry().Report(kNodeA, v1::NodeReport());
  EXPECT_TRUE(registry().Nodes().empty());
  EXPECT_EQ(ReasonOf(registry().Remove(kNodeA)),
            v1::ERROR_REASON_UNKNOWN_RESOURCE);
  EXPECT_EQ(ReasonOf(registry().Remove(kMaster)),
            v1::ERROR_REASON_INVALID_FIELD);
  ASSERT_TRUE(site_.Join(site_.Token(), kNodeA).ok());
  EXPECT_EQ(ReasonOf(registry().Admit(kNodeA, issued->serial_hex)),
            v1::ERROR_REASON_IDENTITY_REVOKED);
}

TEST_F(NodeRegistryTest, AddedAndRemovedNodesAreToldOnce) {
  ASSERT_TRUE(site_.Join(site_.Token(), kNodeA).ok());
  ASSERT_TRUE(site_.Join(site_.Token(), kNodeA).ok());
  ASSERT_TRUE(registry().Remove(kNodeA).ok());
  EXPECT_FALSE(registry().Remove(kNodeA).ok());
  const std::vector<v1::ClusterEvent> told = site_.events.events();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].type(), v1::CLUSTER_EVENT_TYPE_NODE_ADDED);
  EXPECT_EQ(told[0].node_id(), kNodeA);
  EXPECT_EQ(told[1].type(), v1::CLUSTER_EVENT_TYPE_NODE_REMOVED);
}

TEST_F(NodeRegistryTest, TokensAreBounded) {
  EXPECT_EQ(ReasonOf(registry().CreateToken(absl::Hours(24 * 31), 1).status()),
            v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_EQ(ReasonOf(registry().CreateToken(absl::Hours(1), -1).status()),
            v1::ERROR_REASON_INVALID_FIELD);
  const auto token = registry().CreateToken(absl::ZeroDuration(), 0);
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->expires_at,
            site_.clock.Now() + NodeRegistry::kDefaultTokenLifetime);
  EXPECT_TRUE(site_.Join(token->token, kNodeA).ok());
  EXPECT_FALSE(site_.Join(token->token, kNodeB).ok());
}

TEST_F(NodeRegistryTest, WhatCannotBeKeptIsNotAnswered) {
  const std::string token = site_.Token();
  ASSERT_EQ(std::remove(site_.dir.File(kSiteNodesFile).c_str()), 0);
  // Not even root writes a file where there is a folder.
  ASSERT_TRUE(EnsurePrivateDirectory(site_.dir.File(kSiteNodesFile)).ok());
  ASSERT_TRUE(
      AtomicWrite(site_.dir.File(absl::StrCat(kSiteNodesFile, "/x")), "", 0600)
          .ok());
  EXPECT_EQ(ReasonOf(site_.Join(token, kNodeA).status()),
            v1::ERROR_REASON_STORE_UNAVAILABLE);
  EXPECT_TRUE(registry().Nodes().empty());
}

// Joins nodes for ever, and tells each answer.
[[noreturn]] void JoinUntilKilled(const std::string& directory,
                                  const std::string& token, int out) {
  const auto authority = SiteAuthority::Open({.state_directory = directory,
                                              .ca_certificate_file = "",
                                              .ca_key_file = "",
                                              .cluster_id = kCluster});
  RealClock clock;
  Executor executor(1, 100);
  const auto registry = NodeRegistry::Open({.state_directory = directory,
                                            .authority = &*authority,
                                            .clock = &clock,
                                            .executor = &executor,
                                            .master_node_id = kMaster});
  while (true) {
    const std::string id = RandomUuid();
    const auto issued = (*registry)->Join(
        SiteFixture::Request(token, id, PrivateKey::GenerateP256()));
    if (!issued.ok()) _exit(1);
    const std::string line = absl::StrCat(id, " ", issued->serial_hex, "\n");
    if (write(out, line.data(), line.size()) < 0) _exit(2);
  }
}

TEST(NodeRegistryKill, NothingThatWasAnsweredIsLost) {
  SiteFixture site;
  site.Open();
  const std::string token = site.Token(1000);
  std::string answered;
  for (int round = 0; round < 5; ++round) {
    int pipe_fds[2];
    ASSERT_EQ(pipe(pipe_fds), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(pipe_fds[0]);
      JoinUntilKilled(site.dir.path(), token, pipe_fds[1]);
    }
    close(pipe_fds[1]);
    char buffer[4096];
    const size_t wanted = answered.size() + 400 + 37 * round;
    ssize_t count = 0;
    bool killed = false;
    while ((count = read(pipe_fds[0], buffer, sizeof(buffer))) > 0) {
      answered.append(buffer, count);
      if (answered.size() < wanted || killed) continue;
      killed = true;
      kill(child, SIGKILL);
    }
    close(pipe_fds[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
  }
  site.Open();
  int nodes = 0;
  for (absl::string_view line : absl::StrSplit(answered, '\n')) {
    const std::vector<std::string> parts = absl::StrSplit(line, ' ');
    if (parts.size() != 2) continue;
    ++nodes;
    EXPECT_TRUE(site.registry->Admit(parts[0], parts[1]).ok()) << line;
  }
  EXPECT_GE(nodes, 20);
}

}  // namespace
}  // namespace mc::agent
