#include "cluster-agent/domain/inventory/inventory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>

#include "cluster-agent/domain/usage/check.h"
#include "common/config/yaml_config.h"
#include "common/files/temp_dir.h"

namespace mc::agent {
namespace {

using missioncontrol::config::v1::Inventory;
using testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1777888800);

constexpr char kGood[] = R"(
environments:
  - environment_id: production
    hosts:
      - host_id: host-1
        host_category: full_stack
        memory_bytes: 17179869184
        technologies: [JAVA, NGINX]
      - host_id: host-2
        host_category: infrastructure
        memory_bytes: 4294967296
  - environment_id: test
services:
  - name: event-server
    state: running
active_gates:
  - active_gate_id: gate-1
    version: 1.2.3
    type: cluster
)";

Inventory Parse(const std::string& text) {
  Inventory inventory;
  EXPECT_TRUE(ParseYaml(text, "inventory.yaml", &inventory).ok());
  return inventory;
}

std::string Write(const TempDir& folder, const std::string& text) {
  const std::string path = folder.File("inventory.yaml");
  std::ofstream(path) << text;
  return path;
}

TEST(Inventory, FileIsLoaded) {
  const TempDir folder;
  const std::string path = Write(folder, kGood);
  const absl::StatusOr<Inventory> inventory = LoadInventory(path);
  ASSERT_TRUE(inventory.ok()) << inventory.status();
  EXPECT_THAT(EnvironmentIds(*inventory),
              testing::ElementsAre("production", "test"));
  EXPECT_EQ(inventory->environments(0).hosts_size(), 2);
}

TEST(Inventory, ErrorNamesFileAndPlace) {
  const TempDir folder;
  const std::string path =
      Write(folder,
            "environments:\n  - environment_id: a\n    hosts:\n"
            "      - host_id: h\n");
  const absl::Status status = LoadInventory(path).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("environments[0].hosts[0].memory_bytes"));
}

TEST(Inventory, RefusesWhatIsTwiceOrMissing) {
  EXPECT_TRUE(CheckInventory(Parse(kGood)).ok());
  Inventory inventory = Parse(kGood);
  inventory.mutable_environments(1)->set_environment_id("production");
  EXPECT_FALSE(CheckInventory(inventory).ok());
  inventory = Parse(kGood);
  inventory.mutable_environments(1)->set_environment_id("bad id");
  EXPECT_FALSE(CheckInventory(inventory).ok());
  inventory = Parse(kGood);
  *inventory.mutable_environments(1)->add_hosts() =
      inventory.environments(0).hosts(0);
  EXPECT_FALSE(CheckInventory(inventory).ok());
  inventory = Parse(kGood);
  inventory.mutable_environments(0)->mutable_hosts(0)->clear_host_category();
  EXPECT_FALSE(CheckInventory(inventory).ok());
  inventory = Parse(kGood);
  inventory.mutable_environments(0)->mutable_hosts(0)->clear_host_id();
  EXPECT_FALSE(CheckInventory(inventory).ok());
  inventory = Parse(kGood);
  *inventory.add_services() = inventory.services(0);
  EXPECT_FALSE(CheckInventory(inventory).ok());
  inventory = Parse(kGood);
  *inventory.add_active_gates() = inventory.active_gates(0);
  EXPECT_FALSE(CheckInventory(inventory).ok());
}

TEST(Inventory, EachHostGivesAValidRecordForTheInterval) {
  const TimeFrame interval = {kNow - absl::Minutes(1), kNow};
  const auto records = HostRecords(Parse(kGood), interval);
  ASSERT_EQ(records.size(), 2);
  for (const auto& record : records) {
    EXPECT_TRUE(CheckUsageRecord(record, kNow).ok());
    EXPECT_EQ(UsedDuring(record).value(), interval);
  }
  EXPECT_EQ(records[0].host().technologies_size(), 2);
  EXPECT_TRUE(HostRecords(Parse(kGood), {kNow, kNow}).empty());
}

TEST(Inventory, KeysComeFromHostAndInterval) {
  const Inventory inventory = Parse(kGood);
  std::set<std::string> keys;
  const auto add = [&](const TimeFrame& interval) {
    for (const auto& record : HostRecords(inventory, interval)) {
      keys.insert(record.idempotency_key());
    }
  };
  add({kNow, kNow + absl::Minutes(1)});
  EXPECT_EQ(keys.size(), 2);
  add({kNow, kNow + absl::Minutes(1)});
  EXPECT_EQ(keys.size(), 2);
  add({kNow, kNow + absl::Minutes(2)});
  add({kNow + absl::Minutes(1), kNow + absl::Minutes(2)});
  EXPECT_EQ(keys.size(), 6);
}

TEST(MonitoredTime, RunsFromTheLastConfirmedTick) {
  MonitoredTime time(kNow);
  const absl::Time later = kNow + absl::Minutes(1);
  EXPECT_EQ(time.Tick(later), (TimeFrame{kNow, later}));
  // Not confirmed: the next tick covers it too.
  const TimeFrame both = time.Tick(later + absl::Minutes(1));
  EXPECT_EQ(both, (TimeFrame{kNow, later + absl::Minutes(1)}));
  time.Confirm(both);
  EXPECT_EQ(time.Tick(both.end + absl::Seconds(1)).start, both.end);
}

TEST(MonitoredTime, PausesAndClockJumpsAreNotMonitored) {
  MonitoredTime time(kNow);
  const absl::Time later = kNow + absl::Minutes(11);
  EXPECT_EQ(time.Tick(later), (TimeFrame{later, later}));
  const absl::Time back = kNow - absl::Hours(3);
  EXPECT_EQ(time.Tick(back), (TimeFrame{back, back}));
  EXPECT_EQ(time.Tick(back + absl::Minutes(1)).start, back);
}

}  // namespace
}  // namespace mc::agent
