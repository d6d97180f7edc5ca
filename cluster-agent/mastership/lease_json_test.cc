#include "cluster-agent/mastership/lease_json.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

using ::testing::HasSubstr;

constexpr char kObject[] = R"({
  "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
  "metadata": {"name": "cluster-agent", "namespace": "site",
               "resourceVersion": "42", "labels": {"app": "x"}},
  "spec": {"holderIdentity": "pod-0_1", "leaseDurationSeconds": 15,
           "acquireTime": "2026-05-04T10:00:00.000001Z",
           "renewTime": "2026-05-04T10:00:02.500000Z",
           "leaseTransitions": 3, "strategy": "OldestEmulationVersion"}})";

TEST(LeaseJson, ALeaseIsRead) {
  const absl::StatusOr<Lease> lease = ParseLease(kObject);
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_EQ(lease->holder, "pod-0_1");
  EXPECT_EQ(lease->duration, absl::Seconds(15));
  EXPECT_EQ(lease->renewed_at - lease->acquired_at,
            absl::Seconds(2.5) - absl::Microseconds(1));
  EXPECT_EQ(lease->transitions, 3);
}

TEST(LeaseJson, ATimeThatIsNoneIsNotKept) {
  const absl::StatusOr<Lease> lease = ParseLease(
      R"({"kind": "Lease", "metadata": {"resourceVersion": "1"},
          "spec": {"acquireTime": "infinite-future", "renewTime": 7}})");
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_EQ(lease->acquired_at, absl::UnixEpoch());
  EXPECT_EQ(lease->renewed_at, absl::UnixEpoch());
}

TEST(LeaseJson, WhatOthersWroteStays) {
  Lease lease = *ParseLease(kObject);
  lease.holder = "pod-1_2";
  lease.renewed_at += absl::Microseconds(7);
  const absl::StatusOr<std::string> json = LeaseJson(lease, "site", "other");
  ASSERT_TRUE(json.ok());
  EXPECT_THAT(*json, HasSubstr(R"("resourceVersion":"42")"));
  EXPECT_THAT(*json, HasSubstr(R"("labels":{"app":"x"})"));
  EXPECT_THAT(*json, HasSubstr(R"("strategy":"OldestEmulationVersion")"));
  EXPECT_THAT(*json, HasSubstr(R"("name":"cluster-agent")"));
  EXPECT_THAT(*json, HasSubstr(R"("renewTime":"2026-05-04T10:00:02.500007Z")"));
  EXPECT_EQ(*ParseLease(*json), lease);
}

TEST(LeaseJson, ANewOneHasItsNameAndNoVersion) {
  Lease lease;
  lease.holder = "me";
  lease.duration = absl::Seconds(15);
  const std::string json = *LeaseJson(lease, "site", "cluster-agent");
  EXPECT_THAT(json, HasSubstr(R"("kind":"Lease")"));
  EXPECT_THAT(json, HasSubstr(R"("namespace":"site")"));
  EXPECT_THAT(json, HasSubstr(R"("leaseDurationSeconds":15)"));
  EXPECT_FALSE(ParseLease(json).ok()) << "the server gives the version";
}

TEST(LeaseJson, AFreeOneMayHaveNoSpec) {
  const auto lease =
      ParseLease(R"({"kind":"Lease","metadata":{"resourceVersion":"1"}})");
  ASSERT_TRUE(lease.ok());
  EXPECT_EQ(lease->holder, "");
  EXPECT_EQ(lease->duration, absl::ZeroDuration());
}

TEST(LeaseJson, WhatIsNoLeaseIsRefused) {
  for (const char* text :
       {"", "null", "[]", "<html>", "{", "{}", R"({"kind":"Lease"})",
        R"({"kind":"Lease","metadata":[]})",
        R"({"kind":"Status","metadata":{"resourceVersion":"1"}})",
        R"({"kind":"Lease","metadata":{"resourceVersion":"1"},
            "spec":{"leaseDurationSeconds":-1}})"}) {
    EXPECT_TRUE(absl::IsDataLoss(ParseLease(text).status())) << text;
  }
}

TEST(LeaseJson, NestingIsBounded) {
  const std::string levels(500'000, '[');
  EXPECT_FALSE(ParseLease(R"({"kind": "Lease", "metadata":
      {"resourceVersion": "1"}, "status": )" +
                          levels + std::string(levels.size(), ']') + "}")
                   .ok());
}

TEST(LeaseJson, TheServersMessageIsShort) {
  EXPECT_EQ(MessageOf(R"({"kind":"Status","message":"no"})"), "no");
  EXPECT_EQ(MessageOf("<html>"), "");
  EXPECT_EQ(MessageOf(R"({"message":7})"), "");
  EXPECT_EQ(
      MessageOf(R"({"message":")" + std::string(1000, 'x') + "\"}").size(),
      300u);
}

}  // namespace
}  // namespace mc::agent
