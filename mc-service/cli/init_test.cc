#include "mc-service/cli/init.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "common/crypto/certificate.h"
#include "common/files/files.h"
#include "common/files/temp_dir.h"
#include "common/time/clock.h"
#include "mc-service/cli/checks.h"
#include "mc-service/cli/configuration.h"

namespace mc::service {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class InitTest : public ::testing::Test {
 protected:
  InitOptions Options() {
    InitOptions options;
    options.directory = folder_.File("service");
    options.server_names = {"mc.example.com", "192.0.2.7"};
    options.trust_domain = "example.com";
    options.clock = &clock_;
    return options;
  }

  TempDir folder_;
  RealClock clock_;
};

TEST_F(InitTest, WhatItMakesHasNoProblems) {
  ASSERT_TRUE(Init(Options()).ok());
  const StateLayout state(Options().directory);
  auto configuration = LoadConfiguration(state.ConfigFile());
  ASSERT_TRUE(configuration.ok()) << configuration.status();
  configuration->values.mutable_enrollment_front()->set_socket("front.sock");
  EXPECT_EQ(configuration->values.trust_domain(), "example.com");
  EXPECT_EQ(configuration->values.listeners().cluster().address(),
            "0.0.0.0:8443");
  EXPECT_EQ(ProblemsAsText(CheckConfiguration(*configuration, clock_.Now())),
            "No problems.\n");
}

TEST_F(InitTest, TheFrontIsConfiguredUnlessItIsNotWanted) {
  InitOptions options = Options();
  options.front_group = "mission-control-front";
  ASSERT_TRUE(Init(options).ok());
  auto configuration =
      LoadConfiguration(StateLayout(options.directory).ConfigFile());
  ASSERT_TRUE(configuration.ok()) << configuration.status();
  EXPECT_EQ(configuration->values.enrollment_front().socket(),
            options.directory + "/enrollment.sock");
  EXPECT_EQ(configuration->values.enrollment_front().group(),
            "mission-control-front");

  options.directory = folder_.File("alone");
  options.without_front = true;
  ASSERT_TRUE(Init(options).ok());
  configuration =
      LoadConfiguration(StateLayout(options.directory).ConfigFile());
  ASSERT_TRUE(configuration.ok()) << configuration.status();
  EXPECT_FALSE(configuration->values.has_enrollment_front());
}

TEST_F(InitTest, IfMissingLeavesWhatIsThere) {
  InitOptions options = Options();
  options.if_missing = true;
  ASSERT_TRUE(Init(options).ok());
  const StateLayout state(options.directory);
  const auto key = ReadFile(state.ServerCertificate().key);
  ASSERT_TRUE(key.ok());
  EXPECT_TRUE(Init(options).ok());
  EXPECT_EQ(*ReadFile(state.ServerCertificate().key), *key);
  options.if_missing = false;
  EXPECT_EQ(Init(options).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(InitTest, CertificatesNameTheServerAndTheOperator) {
  ASSERT_TRUE(Init(Options()).ok());
  const StateLayout state(Options().directory);
  const auto server =
      ParseCertificatePem(*ReadFile(state.ServerCertificate().certificate));
  ASSERT_TRUE(server.ok());
  EXPECT_THAT(server->dns_sans, ElementsAre("mc.example.com"));
  const auto admin = ParseCertificatePem(*ReadFile(state.Admin().certificate));
  ASSERT_TRUE(admin.ok());
  EXPECT_THAT(admin->uri_sans,
              ElementsAre("spiffe://example.com/operator/admin"));
}

TEST_F(InitTest, OnlyTheOwnerCanReadAnything) {
  ASSERT_TRUE(Init(Options()).ok());
  for (const auto& entry :
       fs::recursive_directory_iterator(Options().directory)) {
    struct stat info;
    ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 077, 0u) << entry.path();
  }
  struct stat info;
  ASSERT_EQ(::stat(Options().directory.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(InitTest, SecondTimeIsRefusedAndChangesNothing) {
  ASSERT_TRUE(Init(Options()).ok());
  const StateLayout state(Options().directory);
  const std::string key = *ReadFile(state.ClusterCa().key);
  const absl::Status again = Init(Options());
  EXPECT_EQ(again.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(again.message()),
              AllOf(HasSubstr(state.directory()), HasSubstr("already")));
  EXPECT_EQ(*ReadFile(state.ClusterCa().key), key);
}

TEST_F(InitTest, EmptyDirectoryIsUsedAndAnyOtherRefused) {
  fs::create_directory(Options().directory);
  EXPECT_TRUE(Init(Options()).ok());
  InitOptions other = Options();
  other.directory = folder_.File("other");
  fs::create_directory(other.directory);
  ASSERT_TRUE(AtomicWrite(other.directory + "/letter", "x", 0600).ok());
  EXPECT_EQ(Init(other).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(InitTest, FailureLeavesNothingBehind) {
  InitOptions options = Options();
  options.server_names = {std::string("bad\0name", 8)};
  EXPECT_FALSE(Init(options).ok());
  options = Options();
  options.trust_domain = "Not A Domain";
  EXPECT_EQ(Init(options).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

}  // namespace
}  // namespace mc::service
