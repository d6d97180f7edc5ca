#include "cluster-agent/state/node_state.h"

#include <sys/stat.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "cluster-agent/state/state_directory.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/files/files.h"
#include "common/files/temp_dir.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

using ::missioncontrol::config::v1::NodeKeyPair;
using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1777888800);

CertificateAuthority MakeCa() {
  return *CertificateAuthority::Create("site", kNow - absl::Hours(1),
                                       kNow + absl::Hours(1000));
}

class NodeStateTest : public testing::Test {
 protected:
  NodeState Open(const std::string& derived = "") {
    auto state = NodeState::Open(path_, derived);
    EXPECT_TRUE(state.ok()) << state.status();
    return *std::move(state);
  }
  std::string Certificate(const NodeKeyPair& pair, const std::string& node_id,
                          const CertificateAuthority& ca) {
    IssueSpec spec;
    spec.spki_der = ParseCsrDer(pair.request_der())->spki_der;
    spec.uri_sans = {absl::StrCat("spiffe://", cluster_id_, "/node/", node_id)};
    spec.client_auth = true;
    spec.not_before = kNow;
    spec.not_after = kNow + absl::Hours(168);
    return *ca.Issue(spec);
  }
  absl::Status Join(NodeState& state) {
    const auto pair = state.DrawNext();
    return state.Join({Certificate(*pair, state.node_id(), ca_), ca_.cert_der(),
                       "master:8451"},
                      kNow);
  }

  TempDir dir_;
  const std::string path_ = dir_.File("state");
  const std::string cluster_id_ = RandomUuid();
  const CertificateAuthority ca_ = MakeCa();
};

TEST_F(NodeStateTest, TheIdIsDrawnOnceAndKept) {
  const std::string id = Open().node_id();
  EXPECT_TRUE(IsUuid(id));
  EXPECT_EQ(Open().node_id(), id);
  EXPECT_FALSE(Open().joined());
  struct stat info = {};
  ASSERT_EQ(stat(absl::StrCat(path_, "/node.json").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(NodeStateTest, ACopyOfAnotherMachinesStateStartsAnew) {
  const std::string first = RandomUuid();
  {
    NodeState state = Open(first);
    EXPECT_EQ(state.node_id(), first);
    ASSERT_TRUE(Join(state).ok());
  }
  EXPECT_TRUE(Open(first).joined());
  const std::string second = RandomUuid();
  EXPECT_FALSE(Open(second).joined());
  EXPECT_EQ(Open(second).node_id(), second);
}

TEST_F(NodeStateTest, TheKeyThatIsToBeCertifiedStaysTheSame) {
  const NodeKeyPair drawn = *Open().DrawNext();
  const NodeKeyPair again = *Open().DrawNext();
  EXPECT_EQ(again.key_pem(), drawn.key_pem());
  EXPECT_EQ(again.request_der(), drawn.request_der());
  EXPECT_TRUE(ParseCsrDer(drawn.request_der())->subject_empty);
}

TEST_F(NodeStateTest, WhatWasJoinedIsThereAfterARestart) {
  {
    NodeState state = Open();
    ASSERT_TRUE(Join(state).ok());
  }
  const NodeState state = Open();
  ASSERT_TRUE(state.joined());
  EXPECT_EQ(state.values().cluster_id(), cluster_id_);
  EXPECT_EQ(state.values().master_address(), "master:8451");
  EXPECT_FALSE(state.values().has_next());
}

TEST_F(NodeStateTest, ACertificateOfSomebodyElseIsNotTaken) {
  NodeState state = Open();
  const NodeKeyPair pair = *state.DrawNext();
  const CertificateAuthority other = MakeCa();
  EXPECT_THAT(std::string(state
                              .Join({Certificate(pair, RandomUuid(), ca_),
                                     ca_.cert_der(), "m:1"},
                                    kNow)
                              .message()),
              HasSubstr("another node"));
  EXPECT_THAT(std::string(state
                              .Join({Certificate(pair, state.node_id(), other),
                                     ca_.cert_der(), "m:1"},
                                    kNow)
                              .message()),
              HasSubstr("site's CA"));
  NodeKeyPair foreign;
  foreign.set_request_der(BuildCsrDer(PrivateKey::GenerateP256()));
  EXPECT_THAT(std::string(state
                              .Join({Certificate(foreign, state.node_id(), ca_),
                                     ca_.cert_der(), "m:1"},
                                    kNow)
                              .message()),
              HasSubstr("another key"));
  EXPECT_FALSE(state.joined());
}

TEST_F(NodeStateTest, TheNextCertificateIsBesideTheOldOneUntilItWasUsed) {
  std::string old_key;
  std::string next_key;
  {
    NodeState state = Open();
    ASSERT_TRUE(Join(state).ok());
    old_key = state.values().current().key_pem();
    next_key = state.DrawNext()->key_pem();
    EXPECT_NE(next_key, old_key);
    EXPECT_FALSE(state.AdoptNext().ok());
    ASSERT_TRUE(
        state
            .KeepNext(Certificate(state.values().next(), state.node_id(), ca_),
                      kNow)
            .ok());
  }
  NodeState state = Open();
  EXPECT_EQ(state.values().current().key_pem(), old_key);
  EXPECT_EQ(state.values().next().key_pem(), next_key);
  ASSERT_TRUE(state.AdoptNext().ok());
  EXPECT_EQ(state.values().current().key_pem(), next_key);
  EXPECT_FALSE(state.values().has_next());
  // Joining again is a matter of fresh keys.
  ASSERT_TRUE(Join(state).ok());
  EXPECT_NE(state.values().current().key_pem(), next_key);
}

TEST_F(NodeStateTest, DamageIsToldAndNothingIsReplaced) {
  {
    NodeState state = Open();
    ASSERT_TRUE(Join(state).ok());
  }
  const std::string file = absl::StrCat(path_, "/node.json");
  const std::string text = *ReadPrivateFile(file);
  ASSERT_TRUE(AtomicWrite(file, text.substr(0, text.size() / 2), 0600).ok());
  const absl::Status damaged = NodeState::Open(path_, "").status();
  EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(damaged.message()), HasSubstr(file));
  ASSERT_TRUE(AtomicWrite(file, text, 0644).ok());
  EXPECT_THAT(std::string(NodeState::Open(path_, "").status().message()),
              HasSubstr("chmod"));
}

TEST_F(NodeStateTest, ADirectoryIsANodesOrAClusters) {
  { Open(); }
  EXPECT_THAT(std::string(StateDirectory::Open(path_).status().message()),
              HasSubstr("cluster-agent node run"));
  { ASSERT_TRUE(StateDirectory::Open(dir_.File("cluster")).ok()); }
  EXPECT_THAT(
      std::string(NodeState::Open(dir_.File("cluster"), "").status().message()),
      HasSubstr("cluster-agent run"));
}

TEST_F(NodeStateTest, OneAgentAtATime) {
  const NodeState state = Open();
  EXPECT_EQ(NodeState::Open(path_, "").status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ((*ReadNodeState(path_))->node_id(), state.node_id());
}

}  // namespace
}  // namespace mc::agent
