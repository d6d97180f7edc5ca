#include "tests/support/message_filler.h"

#include <gtest/gtest.h>

#include <set>

#include "google/protobuf/descriptor.h"
#include "missioncontrol/v1/license.pb.h"
#include "missioncontrol/v1/reports.pb.h"

namespace mc::testing {
namespace {

namespace v1 = missioncontrol::v1;

void AddFields(const google::protobuf::Descriptor* type,
               std::set<std::string>& names) {
  for (int i = 0; i < type->field_count(); ++i) {
    const auto* field = type->field(i);
    names.emplace(field->full_name());
    if (field->message_type() != nullptr &&
        field->message_type()->file()->package() == "missioncontrol.v1") {
      AddFields(field->message_type(), names);
    }
  }
}

template <typename T>
void ExpectAllFilled() {
  MessageFiller filler;
  filler.Make<T>();
  std::set<std::string> all;
  AddFields(T::descriptor(), all);
  EXPECT_EQ(
      std::set<std::string>(filler.filled().begin(), filler.filled().end()),
      all);
}

TEST(MessageFiller, FillsEveryField) {
  ExpectAllFilled<v1::HealthCheck>();
  ExpectAllFilled<v1::Consumption>();
  ExpectAllFilled<v1::LicenseLimits>();
}

TEST(MessageFiller, OneofMembersTakeTurns) {
  MessageFiller filler;
  EXPECT_TRUE(filler.Make<v1::Entitlement>().has_enabled());
  EXPECT_TRUE(filler.Make<v1::Entitlement>().has_limit());
}

TEST(MessageFiller, IntervalsAreInOrderApartAndWithinTheTimeFrame) {
  const auto report = MessageFiller().Make<v1::Consumption>();
  const auto& host = report.environments(1).hosts(1);
  ASSERT_EQ(host.monitored_size(), 2);
  EXPECT_LT(report.time_frame().start().seconds(),
            host.monitored(0).start().seconds());
  EXPECT_LT(host.monitored(0).start().seconds(),
            host.monitored(0).end().seconds());
  EXPECT_LT(host.monitored(0).end().seconds(),
            host.monitored(1).start().seconds());
  EXPECT_LT(host.monitored(1).end().seconds(),
            report.time_frame().end().seconds());
  EXPECT_EQ(report.time_frame().start().seconds() / 3600,
            report.time_frame().end().seconds() / 3600);
}

TEST(MessageFiller, GivenTextsAreUsed) {
  MessageFiller filler(
      {.texts = {{"missioncontrol.v1.HealthCheck.cluster_id", "mine"}}});
  EXPECT_EQ(filler.Make<v1::HealthCheck>().cluster_id(), "mine");
}

TEST(Difference, NamesWhatDiffers) {
  auto one = MessageFiller().Make<v1::HealthCheck>();
  auto other = one;
  EXPECT_EQ(Difference(one, other), "");
  other.mutable_nodes(0)->clear_memory_limit_bytes();
  EXPECT_NE(Difference(one, other).find("memory_limit_bytes"),
            std::string::npos);
}

}  // namespace
}  // namespace mc::testing
