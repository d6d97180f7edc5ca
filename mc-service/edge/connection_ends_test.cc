#include "mc-service/edge/connection_ends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "common/files/files.h"
#include "common/files/temp_dir.h"
#include "common/log/log.h"

namespace mc::service {
namespace {

using ::testing::HasSubstr;

TEST(ConnectionEnds, ManyCutsDoNotFillTheLog) {
  const TempDir temp;
  const std::string log = temp.File("log");
  InitLog({.file = log});
  const auto lines = [&] {
    const std::string text = *ReadFile(log);
    return std::count(text.begin(), text.end(), '\n');
  };
  ConnectionEnds ends("test");
  for (int i = 0; i < 1000; ++i) {
    ends.Count(EndReason::kHandshakeTimeout, "ipv4:192.0.2.1:1");
  }
  EXPECT_EQ(lines(), ConnectionEnds::kLoggedCuts);
  EXPECT_EQ(ends.counts()[static_cast<size_t>(EndReason::kHandshakeTimeout)],
            1000);
  ends.Report(absl::Seconds(1));
  EXPECT_EQ(lines(), ConnectionEnds::kLoggedCuts + 1);
  EXPECT_THAT(*ReadFile(log), HasSubstr("\"count\":980"));
  // The next ones are told again.
  ends.Count(EndReason::kOffender, "ipv4:192.0.2.1:1", "it calls too often");
  EXPECT_EQ(lines(), ConnectionEnds::kLoggedCuts + 2);
  InitLog({});
}

}  // namespace
}  // namespace mc::service
