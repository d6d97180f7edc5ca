#include "cluster-agent/collect/time_zone.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cluster-agent/collect/fixture_tree.h"

namespace mc::agent {
namespace {

TEST(TimeZone, ConfigurationComesBeforeTheFiles) {
  FixtureTree tree;
  tree.Write("/etc/timezone", "Europe/Vienna\n");
  EXPECT_EQ(ReadTimeZone(tree.options(), "America/Sao_Paulo").value(),
            "America/Sao_Paulo");
}

TEST(TimeZone, ConfiguredGarbageIsRefused) {
  for (const char* name : {"../etc/passwd", "Europe/", "/Vienna", "a b",
                           "Europe//Vienna", "5", ":Europe/Vienna"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ReadTimeZone({}, name).status()))
        << name;
  }
  EXPECT_FALSE(ReadTimeZone({}, std::string(65, 'A')).ok());
}

TEST(TimeZone, EtcTimezoneComesBeforeTheLink) {
  FixtureTree tree;
  tree.Write("/etc/timezone", "Europe/Vienna\n");
  tree.Link("/etc/localtime", "/usr/share/zoneinfo/Asia/Tokyo");
  EXPECT_EQ(ReadTimeZone(tree.options(), "").value(), "Europe/Vienna");
}

TEST(TimeZone, TheLinkStandsInForAMissingOrGarbledFile) {
  FixtureTree tree;
  tree.Link("/etc/localtime",
            "../usr/share/zoneinfo/America/Argentina/Ushuaia");
  EXPECT_EQ(ReadTimeZone(tree.options(), "").value(),
            "America/Argentina/Ushuaia");
  tree.Write("/etc/timezone", "not a zone!\n");
  EXPECT_EQ(ReadTimeZone(tree.options(), "").value(),
            "America/Argentina/Ushuaia");
}

TEST(TimeZone, VariantsOfTheDatabaseNameTheSameZone) {
  FixtureTree tree;
  tree.Link("/etc/localtime", "/usr/share/zoneinfo/posix/Etc/GMT+5");
  EXPECT_EQ(ReadTimeZone(tree.options(), "").value(), "Etc/GMT+5");
}

TEST(TimeZone, IsUtcWhereNothingSaysOtherwise) {
  FixtureTree tree;
  EXPECT_EQ(ReadTimeZone(tree.options(), "").value(), "UTC");
  tree.Write("/etc/timezone", "");
  tree.Write("/etc/localtime", "TZif2, a copy and no link");
  EXPECT_EQ(ReadTimeZone(tree.options(), "").value(), "UTC");
  FixtureTree linked;
  linked.Link("/etc/localtime", "/somewhere/else");
  EXPECT_EQ(ReadTimeZone(linked.options(), "").value(), "UTC");
}

TEST(TimeZone, OfThisMachineIsAZoneOfItsDatabase) {
  const std::string name = ReadTimeZone({}, "").value();
  absl::TimeZone zone;
  EXPECT_TRUE(name == "UTC" || absl::LoadTimeZone(name, &zone)) << name;
}

}  // namespace
}  // namespace mc::agent
