#include "cluster-agent/domain/config/site_config.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/domain/site/join_token.h"
#include "common/crypto/authority.h"
#include "common/files/files.h"
#include "common/files/temp_dir.h"
#include "common/time/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

config::Site Good() {
  config::Site site;
  site.mutable_listen()->set_join("0.0.0.0:8450");
  site.mutable_listen()->set_nodes("[::]:0");
  ApplySiteDefaults("/etc", site);
  return site;
}

std::vector<std::string> Problems(const config::Site& site) {
  std::vector<std::string> problems;
  CheckSite(site, problems);
  return problems;
}

TEST(SiteConfig, DefaultsFollowTheReportInterval) {
  config::Site site = Good();
  EXPECT_EQ(ToAbsl(site.report_interval()), absl::Seconds(30));
  EXPECT_EQ(ToAbsl(site.silent_after()), absl::Seconds(90));
  EXPECT_EQ(ToAbsl(site.node_certificate_lifetime()), absl::Hours(168));
  EXPECT_THAT(Problems(site), testing::IsEmpty());
  site.clear_silent_after();
  *site.mutable_report_interval() = mc::ToProto(absl::Seconds(10));
  site.set_join_token_file("join.token");
  ApplySiteDefaults("/etc", site);
  EXPECT_EQ(ToAbsl(site.silent_after()), absl::Seconds(30));
  EXPECT_EQ(site.join_token_file(), "/etc/join.token");
}

TEST(SiteConfig, EachMistakeIsToldWithItsKey) {
  const auto told = [](auto spoil) {
    config::Site site = Good();
    spoil(site);
    return Problems(site);
  };
  const auto names = [](const char* key) {
    return testing::ElementsAre(testing::StartsWith(key));
  };
  EXPECT_THAT(told([](auto& site) { site.clear_listen(); }),
              names("site has no listen"));
  EXPECT_THAT(told([](auto& site) { site.mutable_listen()->clear_join(); }),
              names("site.listen.join is missing"));
  EXPECT_THAT(
      told([](auto& site) { site.mutable_listen()->set_nodes("8451"); }),
      names("site.listen.nodes is \"8451\""));
  EXPECT_THAT(told([](auto& site) { site.set_node_address("master:0"); }),
              names("site.node_address"));
  EXPECT_THAT(told([](auto& site) {
                *site.mutable_report_interval() = mc::ToProto(absl::Hours(2));
                *site.mutable_silent_after() = mc::ToProto(absl::Hours(3));
              }),
              names("site.report_interval is 2h"));
  EXPECT_THAT(told([](auto& site) {
                *site.mutable_silent_after() = site.report_interval();
              }),
              names("site.silent_after is not longer"));
  EXPECT_THAT(told([](auto& site) {
                *site.mutable_node_certificate_lifetime() =
                    mc::ToProto(absl::Seconds(1));
              }),
              names("site.node_certificate_lifetime is 1s"));
  EXPECT_THAT(told([](auto& site) { site.set_ca_key_file("ca.key"); }),
              names("site names one of"));
}

TEST(SiteConfig, TheTokenMustNameTheConfiguredCa) {
  TempDir dir;
  const auto make = [] {
    return *CertificateAuthority::Create("CA", absl::FromUnixSeconds(0),
                                         absl::FromUnixSeconds(2'000'000'000));
  };
  const CertificateAuthority ca = make();
  const CertificateAuthority other = make();
  config::Site site = Good();
  site.set_ca_certificate_file(dir.File("ca.crt"));
  site.set_ca_key_file(dir.File("ca.key"));
  site.set_join_token_file(dir.File("join.token"));
  EXPECT_TRUE(absl::IsNotFound(CheckSiteFiles(site)));
  ASSERT_TRUE(AtomicWrite(dir.File("ca.crt"), ca.cert_pem(), 0644).ok());
  ASSERT_TRUE(AtomicWrite(dir.File("ca.key"), ca.key_pem(), 0600).ok());
  EXPECT_TRUE(CheckSiteFiles(site).ok()) << "nobody can join yet";
  const auto write = [&](const std::string& text) {
    return AtomicWrite(dir.File("join.token"), text, 0600).ok();
  };
  ASSERT_TRUE(write(FormatJoinToken(NewJoinToken(ca.cert_der()))));
  EXPECT_TRUE(CheckSiteFiles(site).ok()) << CheckSiteFiles(site);
  ASSERT_TRUE(write(FormatJoinToken(NewJoinToken(other.cert_der()))));
  EXPECT_THAT(std::string(CheckSiteFiles(site).message()),
              testing::HasSubstr("names another CA"));
  ASSERT_TRUE(write("no token"));
  EXPECT_TRUE(absl::IsInvalidArgument(CheckSiteFiles(site)));
  site.clear_ca_certificate_file();
  site.clear_ca_key_file();
  EXPECT_TRUE(absl::IsInvalidArgument(CheckSiteFiles(site)));
}

}  // namespace
}  // namespace mc::agent
