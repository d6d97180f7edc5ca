#include "mc-service/cli/authorities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "common/crypto/certificate.h"
#include "common/files/files.h"
#include "common/time/clock.h"
#include "mc-service/testing/service_folder.h"

namespace mc::service {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Role = KnownAuthority::Role;
using testing::ServiceFolder;

class AuthoritiesTest : public ::testing::Test {
 protected:
  absl::Status Rotate(AuthorityKind kind,
                      absl::Duration trust_old = absl::Hours(1)) {
    return RotateAuthority(state(), kind, trust_old, now_);
  }
  std::string Trusted(AuthorityKind kind, absl::Time now) {
    const auto trusted = TrustedAuthorities(state(), kind, now);
    EXPECT_TRUE(trusted.ok()) << trusted.status();
    return trusted.value_or("");
  }
  std::vector<Role> Roles(AuthorityKind kind) {
    std::vector<Role> roles;
    const auto all = KnownAuthorities(state(), kind);
    EXPECT_TRUE(all.ok()) << all.status();
    for (const auto& known : all.value_or(std::vector<KnownAuthority>())) {
      roles.push_back(known.role);
    }
    return roles;
  }
  const StateLayout& state() const { return folder_.state(); }

  const absl::Time now_ = RealClock().Now();
  ServiceFolder folder_;
};

TEST_F(AuthoritiesTest, BothAreTrustedUntilTheOldOnesTimeIsOver) {
  const std::string old_pem = *ReadFile(state().ClusterCa().certificate);
  EXPECT_EQ(Trusted(AuthorityKind::kCluster, now_), old_pem);
  ASSERT_TRUE(Rotate(AuthorityKind::kCluster).ok());
  const std::string new_pem =
      LoadAuthority(state(), AuthorityKind::kCluster)->cert_pem();
  EXPECT_NE(new_pem, old_pem);
  const absl::Time end = now_ + absl::Hours(1);
  EXPECT_EQ(Trusted(AuthorityKind::kCluster, end - absl::Seconds(1)),
            new_pem + old_pem);
  EXPECT_EQ(Trusted(AuthorityKind::kCluster, end), new_pem);
  EXPECT_FALSE(
      FileExists(StateLayout::NextAuthority(state().ClusterCa()).certificate));
}

TEST_F(AuthoritiesTest, OneThatIsTrustedNoMoreIsForgottenByTheNextRotation) {
  ASSERT_TRUE(Rotate(AuthorityKind::kCluster, absl::ZeroDuration()).ok());
  EXPECT_EQ(Roles(AuthorityKind::kCluster).size(), 2u);
  ASSERT_TRUE(Rotate(AuthorityKind::kCluster).ok());
  EXPECT_EQ(Roles(AuthorityKind::kCluster),
            (std::vector<Role>{Role::kIssues, Role::kPrevious}));
}

// As if the process had been killed between two steps.
TEST_F(AuthoritiesTest, CutOffBetweenKeyAndCertificateItIsWholeAndFinished) {
  const CertificateFiles files = state().ClusterCa();
  const CertificateFiles next = StateLayout::NextAuthority(files);
  const std::string old_pem = *ReadFile(files.certificate);
  ASSERT_TRUE(Rotate(AuthorityKind::kCluster).ok());
  const std::string new_pem = *ReadFile(files.certificate);
  ASSERT_TRUE(AtomicWrite(next.certificate, new_pem, 0600).ok());
  ASSERT_TRUE(AtomicWrite(files.certificate, old_pem, 0600).ok());

  const auto authority = LoadAuthority(state(), AuthorityKind::kCluster);
  ASSERT_TRUE(authority.ok()) << authority.status();
  EXPECT_EQ(authority->cert_pem(), new_pem);
  EXPECT_EQ(Trusted(AuthorityKind::kCluster, now_), new_pem + old_pem);
  ASSERT_TRUE(Rotate(AuthorityKind::kCluster).ok());
  EXPECT_EQ(*ReadFile(files.certificate), new_pem);
  EXPECT_FALSE(FileExists(next.certificate));
}

TEST_F(AuthoritiesTest, CutOffBeforeItsUseTheNextOneIsTaken) {
  const CertificateFiles files = state().ClusterCa();
  const auto next = *CertificateAuthority::Create("Next", now_ - absl::Hours(1),
                                                  now_ + absl::Hours(99));
  const CertificateFiles place = StateLayout::NextAuthority(files);
  ASSERT_TRUE(AtomicWrite(place.certificate, next.cert_pem(), 0600).ok());
  ASSERT_TRUE(AtomicWrite(place.key, next.key_pem(), 0600).ok());
  EXPECT_EQ(Roles(AuthorityKind::kCluster),
            (std::vector<Role>{Role::kIssues, Role::kNext}));
  ASSERT_TRUE(Rotate(AuthorityKind::kCluster).ok());
  EXPECT_EQ(*ReadFile(files.certificate), next.cert_pem());
}

TEST_F(AuthoritiesTest, OperatorOfTheDirectoryGetsANewCertificate) {
  const auto before = *ParseCertificatePem(folder_.Admin().certificate);
  ASSERT_TRUE(Rotate(AuthorityKind::kOperator).ok());
  const auto after = *ParseCertificatePem(folder_.Admin().certificate);
  EXPECT_NE(after.serial_hex, before.serial_hex);
  EXPECT_EQ(after.uri_sans, before.uri_sans);
  EXPECT_EQ(after.spki_sha256, before.spki_sha256);
  EXPECT_TRUE(VerifyIssuedBy(
                  *CertificatePemToDer(folder_.Admin().certificate),
                  LoadAuthority(state(), AuthorityKind::kOperator)->cert_der())
                  .ok());
}

TEST_F(AuthoritiesTest, ServerAuthorityIsTrustedByOthersBeforeItIssues) {
  const std::string file = state().ServerCertificate().certificate;
  const std::string shown = *ReadFile(file);
  const auto names = *ParseCertificatePem(shown);
  const std::string old_pem = *ReadFile(state().ServerCa().certificate);
  ASSERT_TRUE(PrepareServerAuthority(state(), now_).ok());
  const std::string bundle = *ReadFile(state().ServerCaBundle());
  EXPECT_EQ(CertificateChainPemToDer(bundle)->size(), 2u);
  EXPECT_THAT(bundle, HasSubstr(old_pem));
  EXPECT_EQ(*ReadFile(state().OperatorTrustFile()), bundle);
  EXPECT_EQ(*ReadFile(file), shown);
  // Again: the same.
  ASSERT_TRUE(PrepareServerAuthority(state(), now_).ok());
  EXPECT_EQ(*ReadFile(state().ServerCaBundle()), bundle);

  ASSERT_TRUE(Rotate(AuthorityKind::kServer).ok());
  const std::string new_pem = *ReadFile(state().ServerCa().certificate);
  EXPECT_THAT(bundle, HasSubstr(new_pem));
  EXPECT_NE(new_pem, old_pem);
  const std::string now_shown = *ReadFile(file);
  EXPECT_TRUE(VerifyIssuedBy(*CertificatePemToDer(now_shown),
                             *CertificatePemToDer(new_pem))
                  .ok());
  const auto after = *ParseCertificatePem(now_shown);
  EXPECT_EQ(after.dns_sans, names.dns_sans);
  EXPECT_EQ(after.ip_sans, names.ip_sans);
  EXPECT_FALSE(after.ip_sans.empty());
  EXPECT_EQ(*ReadFile(state().OperatorTrustFile()), new_pem + old_pem);
}

TEST_F(AuthoritiesTest, DamagedHistoryIsNotOverlooked) {
  ASSERT_TRUE(Rotate(AuthorityKind::kCluster).ok());
  const std::string file =
      StateLayout::PreviousAuthoritiesFile(state().ClusterCa());
  for (const char* text : {"", "{}", "[]", "{\"authorities\": [1]}",
                           "{\"authorities\": [{\"certificate\": \"x\", "
                           "\"trustedUntil\": \"tomorrow\"}]}"}) {
    ASSERT_TRUE(AtomicWrite(file, text, 0600).ok());
    const auto known = KnownAuthorities(state(), AuthorityKind::kCluster);
    EXPECT_TRUE(absl::IsDataLoss(known.status())) << text;
    EXPECT_THAT(std::string(known.status().message()), HasSubstr(file));
  }
}

}  // namespace
}  // namespace mc::service
