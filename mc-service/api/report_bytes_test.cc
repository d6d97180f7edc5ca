#include "mc-service/api/report_bytes.h"

#include <gtest/gtest.h>

#include <string>

namespace mc::service {
namespace {

std::string Request() {
  v1::StreamReportsRequest request;
  v1::ReportEnvelope* report = request.mutable_report();
  report->set_lane(v1::LANE_BILLING);
  report->set_epoch(7);
  report->set_sequence(5);
  report->mutable_consumption()->add_environments()->set_environment_id(
      "marker");
  return request.SerializeAsString();
}

void ExpectKey(const std::string& bytes) {
  const auto key = ReadKey(bytes);
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(key->lane, v1::LANE_BILLING);
  EXPECT_EQ(key->epoch, 7u);
  EXPECT_EQ(key->sequence, 5u);
}

TEST(ReadKey, IsReadFromABrokenPayload) {
  std::string bytes = Request();
  ExpectKey(bytes);
  bytes.replace(bytes.find("marker"), 6, "mark\xff\xfe");
  ExpectKey(bytes);
}

TEST(ReadKey, IsReadUpToTheCut) {
  const std::string bytes = Request();
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    const auto key = ReadKey(bytes.substr(0, cut));
    // Two bytes of the outer field, then two each of the three numbers.
    EXPECT_EQ(key.has_value(), cut >= 8) << cut;
  }
}

TEST(ReadKey, IsAbsentWhereTheBytesAreNoReport) {
  EXPECT_FALSE(ReadKey("").has_value());
  EXPECT_FALSE(ReadKey("\xff\xff\xff\xff").has_value());
  EXPECT_FALSE(ReadKey(std::string(1000, '\0')).has_value());
  v1::StreamReportsRequest hello;
  hello.mutable_hello()->set_cluster_id("c-1");
  EXPECT_FALSE(ReadKey(hello.SerializeAsString()).has_value());
  v1::StreamReportsRequest keyless;
  keyless.mutable_report()->mutable_health_check();
  EXPECT_FALSE(ReadKey(keyless.SerializeAsString()).has_value());
}

}  // namespace
}  // namespace mc::service
