#include "cluster-agent/domain/config/node_config.h"

#include <sys/stat.h>

#include <fstream>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "common/crypto/digest.h"
#include "common/files/temp_dir.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kNode[] = "node: {join_address: 'master.example:8450'}\n";
constexpr char kMachineId[] = "0123456789abcdef0123456789abcdef";

class NodeConfig : public testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& text,
                    mode_t mode = 0600) {
    std::ofstream(dir_.File(name)) << text;
    chmod(dir_.File(name).c_str(), mode);
    return dir_.File(name);
  }
  std::string Problems(const std::string& text) {
    const auto loaded = LoadConfiguration(Write("node.yaml", text));
    if (!loaded.ok()) return std::string(loaded.status().message());
    return absl::StrJoin(FindProblems(*loaded, nullptr), "\n");
  }

  TempDir dir_;
};

TEST_F(NodeConfig, NeedsNeitherServiceNorLicenseKey) {
  EXPECT_EQ(Problems(kNode), "");
  const auto checked = LoadChecked(dir_.File("node.yaml"), nullptr);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_TRUE(IsNode(checked->configuration.values));
  EXPECT_EQ(checked->files.license_key, "");
}

TEST_F(NodeConfig, AddressesAreChecked) {
  EXPECT_THAT(Problems("node: {}\n"),
              HasSubstr("node.join_address is missing"));
  EXPECT_THAT(
      Problems("node: {join_address: 'm:1', master_address: nowhere}\n"),
      HasSubstr("node.master_address"));
}

TEST_F(NodeConfig, TheMastersKeysAreErrors) {
  for (const char* key :
       {"service: {cluster: 'mc:8443'}", "license_key_file: key",
        "proxy: {url: 'http://proxy:3128'}", "site: {report_interval: 30s}",
        "mastership: {}"}) {
    const std::string name(key, std::string(key).find(':'));
    EXPECT_THAT(Problems(absl::StrCat(kNode, key, "\n")),
                HasSubstr(absl::StrCat(name, " is the master's alone")));
  }
}

TEST_F(NodeConfig, UsageBelongsIntoTheMastersInventory) {
  Write("inventory.yaml", "environments: [{environment_id: plant}]\n", 0644);
  EXPECT_THAT(Problems(absl::StrCat(kNode, "inventory_file: inventory.yaml\n")),
              HasSubstr("master's inventory"));
  Write("inventory.yaml", "services: [{name: indexer, state: running}]\n",
        0644);
  EXPECT_EQ(Problems(absl::StrCat(kNode, "inventory_file: inventory.yaml\n")),
            "");
}

TEST_F(NodeConfig, HostRootIsAbsolute) {
  EXPECT_EQ(Problems(absl::StrCat(kNode, "host_root: /host\n")), "");
  EXPECT_THAT(Problems(absl::StrCat(kNode, "host_root: host\n")),
              HasSubstr("host_root"));
}

TEST_F(NodeConfig, TheMachineIdMakesTheNodeIdAndIsNotInIt) {
  const std::string id = NodeIdOf(kMachineId);
  EXPECT_TRUE(IsUuid(id)) << id;
  EXPECT_EQ(NodeIdOf(kMachineId), id);
  EXPECT_NE(NodeIdOf("1123456789abcdef0123456789abcdef"), id);
  EXPECT_NE(Hex(Sha256(kMachineId)).substr(0, 8), id.substr(0, 8));
  const std::string file =
      Write("machine-id", absl::StrCat(kMachineId, "\n"), 0644);
  EXPECT_EQ(*ReadMachineNodeId(file), id);
}

TEST_F(NodeConfig, AFileWithoutAMachineIdIsAProblem) {
  for (const char* text :
       {"", "uninitialized\n", "0123", "00000000000000000000000000000000"}) {
    Write("machine-id", text, 0644);
    EXPECT_THAT(
        Problems("node: {join_address: 'm:1', machine_id_file: machine-id}\n"),
        HasSubstr("node.machine_id_file"))
        << text;
  }
}

TEST_F(NodeConfig, TheTokenComesFromAPrivateFileOrTheEnvironment) {
  const std::string token =
      absl::StrCat("mcj1.", std::string(43, 's'), ".", std::string(64, 'a'));
  EXPECT_TRUE(JoinTokenSource().empty());
  JoinTokenSource source{.environment = "",
                         .file = Write("token", token + "\n")};
  EXPECT_EQ(*source.Read(), token);
  Write("token", token, 0644);
  EXPECT_THAT(std::string(source.Read().status().message()),
              HasSubstr("chmod"));
  source.environment = token + "x";
  const absl::Status wrong = source.Read().status();
  EXPECT_THAT(std::string(wrong.message()), HasSubstr("MC_JOIN_TOKEN"));
  EXPECT_THAT(std::string(wrong.message()), testing::Not(HasSubstr("sss")));
  source.environment = token;
  EXPECT_EQ(*source.Read(), token);
}

}  // namespace
}  // namespace mc::agent
