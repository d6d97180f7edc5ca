#include "cluster-agent/domain/site/join_token.h"

#include <string>

#include "cluster-agent/domain/site/site_identity.h"
#include "common/crypto/digest.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

TEST(JoinToken, NamesItsCa) {
  const JoinToken token = NewJoinToken("the CA");
  const std::string text = FormatJoinToken(token);
  const absl::StatusOr<JoinToken> parsed = ParseJoinToken(text + "\n");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->secret, token.secret);
  EXPECT_TRUE(IsTokenOf(*parsed, "the CA"));
  EXPECT_FALSE(IsTokenOf(*parsed, "another CA"));
  EXPECT_NE(NewJoinToken("the CA").secret, token.secret);
}

TEST(JoinToken, OtherTextIsNone) {
  const std::string secret(32, 's');
  const std::string digest(64, 'a');
  ASSERT_TRUE(ParseJoinToken("mcj1." + secret + "." + digest).ok());
  for (const std::string& text :
       {std::string(), "mcj2." + secret + "." + digest,
        "mcj1." + secret.substr(1) + "." + digest,
        "mcj1." + std::string(129, 's') + "." + digest,
        "mcj1." + secret + "." + digest.substr(1),
        "mcj1." + secret + "." + std::string(64, 'A'),
        "mcj1." + secret + "/." + digest,
        "mcj1." + secret + "." + digest + ".more"}) {
    const absl::Status refused = ParseJoinToken(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(refused)) << text;
    EXPECT_EQ(refused.message().find(secret), std::string::npos);
  }
}

TEST(SiteIdentity, NodeIdsAreUuids) {
  EXPECT_TRUE(IsNodeId(RandomUuid()));
  EXPECT_TRUE(IsNodeId("0f8fad5b-d9cb-569f-a165-70867728950e"));
  EXPECT_FALSE(IsNodeId(""));
  EXPECT_FALSE(IsNodeId("0F8FAD5B-D9CB-569F-A165-70867728950E"));
  EXPECT_FALSE(IsNodeId("0f8fad5bd9cb569fa16570867728950e"));
  EXPECT_FALSE(IsNodeId("host-name-of-the-node.example.com---"));
}

}  // namespace
}  // namespace mc::agent
