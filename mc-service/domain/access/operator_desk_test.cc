#include "mc-service/domain/access/operator_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/crypto/key.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "mc-service/domain/enrollment/directory.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

class OperatorDeskTest : public testing::Test {
 protected:
  OperatorDeskTest() {
    const absl::Status written = store_.WriteAndWait([](Writer& writer) {
      return writer.PutOperator({"admin", Role::kAdmin});
    });
    EXPECT_TRUE(written.ok()) << written;
  }

  v1::CreateOperatorRequest Request(const std::string& name,
                                    v1::OperatorRole role) const {
    v1::CreateOperatorRequest request;
    request.set_name(name);
    request.set_role(role);
    request.set_certificate_signing_request(BuildCsrDer(key_));
    return request;
  }

  v1::IssueOperatorCertificateRequest Renewal(const std::string& name) const {
    v1::IssueOperatorCertificateRequest request;
    request.set_name(name);
    request.set_certificate_signing_request(BuildCsrDer(key_));
    return request;
  }

  OperatorDesk::Certified Create(const std::string& name,
                                 v1::OperatorRole role) {
    auto made = desk_.Create(Request(name, role));
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? *std::move(made) : OperatorDesk::Certified();
  }

  v1::ErrorReason WhyNot(const v1::CreateOperatorRequest& request) {
    return ReasonOf(desk_.Create(request).status());
  }

  const PrivateKey key_ = PrivateKey::GenerateP256();
  SimulatedClock clock_{absl::FromUnixSeconds(1'777'888'800) +
                        absl::Milliseconds(250)};
  FakeStore store_;
  OperatorDirectory directory_{{.store = &store_, .clock = &clock_}};
  const CertificateAuthority authority_ =
      *CertificateAuthority::Create("Operators", clock_.Now() - absl::Hours(1),
                                    clock_.Now() + absl::Hours(24 * 3650));
  const OperatorDesk desk_{{.store = &store_,
                            .directory = &directory_,
                            .authority = &authority_,
                            .clock = &clock_,
                            .trust_domain = "test.example",
                            .certificate_lifetime = absl::Hours(2160)}};
};

TEST_F(OperatorDeskTest, CreationCertifiesTheOperatorsKey) {
  EXPECT_FALSE(directory_.Find("anna").ok());
  const auto made = Create("anna", v1::OPERATOR_ROLE_OPERATOR);
  const auto certificate = ParseCertificateDer(made.certificate);
  ASSERT_TRUE(certificate.ok()) << certificate.status();
  EXPECT_THAT(certificate->uri_sans,
              testing::ElementsAre("spiffe://test.example/operator/anna"));
  EXPECT_FALSE(certificate->is_ca);
  EXPECT_EQ(certificate->spki_sha256, Sha256(key_.PublicSpkiDer()));
  EXPECT_TRUE(VerifyIssuedBy(made.certificate, made.issuer).ok());
  const auto stored = directory_.Find("anna");
  ASSERT_TRUE(stored.ok()) << "this process sees it at once";
  EXPECT_EQ(stored->role, Role::kOperator);
  EXPECT_EQ(stored->created_at, clock_.Now());
  EXPECT_EQ(stored->certificate_not_after, certificate->not_after);
  EXPECT_EQ(certificate->not_after,
            absl::FromUnixSeconds(absl::ToUnixSeconds(clock_.Now())) +
                absl::Hours(2160));
}

TEST_F(OperatorDeskTest, BadRequestsMakeNobody) {
  for (const char* name : {"", "Anna", "1anna", ".anna", "an na", "an/na"}) {
    EXPECT_EQ(WhyNot(Request(name, v1::OPERATOR_ROLE_VIEWER)),
              v1::ERROR_REASON_INVALID_FIELD)
        << name;
  }
  EXPECT_EQ(WhyNot(Request(std::string(65, 'a'), v1::OPERATOR_ROLE_VIEWER)),
            v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_EQ(WhyNot(Request("anna", v1::OPERATOR_ROLE_UNSPECIFIED)),
            v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_EQ(WhyNot(Request("anna", static_cast<v1::OperatorRole>(9))),
            v1::ERROR_REASON_INVALID_FIELD);
  v1::CreateOperatorRequest request = Request("anna", v1::OPERATOR_ROLE_VIEWER);
  request.clear_certificate_signing_request();
  EXPECT_EQ(WhyNot(request), v1::ERROR_REASON_CSR_MALFORMED);
  request.set_certificate_signing_request(
      BuildCsrDer(PrivateKey::GenerateEd25519()));
  EXPECT_EQ(WhyNot(request), v1::ERROR_REASON_CSR_KEY_NOT_ALLOWED);
  EXPECT_FALSE(directory_.Find("anna").ok());
}

TEST_F(OperatorDeskTest, NameIsOneOperatorsForGood) {
  Create("anna", v1::OPERATOR_ROLE_VIEWER);
  EXPECT_EQ(WhyNot(Request("anna", v1::OPERATOR_ROLE_ADMIN)),
            v1::ERROR_REASON_ALREADY_PRESENT);
  EXPECT_EQ(directory_.Find("anna")->role, Role::kViewer);
  EXPECT_TRUE(desk_.Delete("anna").ok());
  EXPECT_EQ(ReasonOf(directory_.Find("anna").status()),
            v1::ERROR_REASON_IDENTITY_UNKNOWN);
  EXPECT_EQ(WhyNot(Request("anna", v1::OPERATOR_ROLE_VIEWER)),
            v1::ERROR_REASON_ALREADY_PRESENT);
  EXPECT_EQ(ReasonOf(desk_.Delete("anna")), v1::ERROR_REASON_UNKNOWN_RESOURCE);
}

TEST_F(OperatorDeskTest, RoleChangesAreSeenAtOnce) {
  Create("anna", v1::OPERATOR_ROLE_OPERATOR);
  EXPECT_EQ(directory_.Find("anna")->role, Role::kOperator);
  for (int i = 0; i < 2; ++i) {
    const auto changed = desk_.ChangeRole("anna", v1::OPERATOR_ROLE_VIEWER);
    ASSERT_TRUE(changed.ok()) << changed.status();
    EXPECT_EQ(changed->role, Role::kViewer);
    EXPECT_EQ(directory_.Find("anna")->role, Role::kViewer);
  }
  EXPECT_NE(directory_.Find("anna")->certificate_not_after,
            absl::InfinitePast());
  EXPECT_EQ(
      ReasonOf(
          desk_.ChangeRole("anna", v1::OPERATOR_ROLE_UNSPECIFIED).status()),
      v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_EQ(
      ReasonOf(desk_.ChangeRole("bob", v1::OPERATOR_ROLE_VIEWER).status()),
      v1::ERROR_REASON_UNKNOWN_RESOURCE);
}

TEST_F(OperatorDeskTest, LastAdminStaysOne) {
  Create("anna", v1::OPERATOR_ROLE_OPERATOR);
  EXPECT_EQ(
      ReasonOf(desk_.ChangeRole("admin", v1::OPERATOR_ROLE_OPERATOR).status()),
      v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_EQ(ReasonOf(desk_.Delete("admin")), v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_TRUE(desk_.ChangeRole("admin", v1::OPERATOR_ROLE_ADMIN).ok());
  ASSERT_TRUE(desk_.ChangeRole("anna", v1::OPERATOR_ROLE_ADMIN).ok());
  EXPECT_TRUE(desk_.Delete("admin").ok());
  EXPECT_EQ(ReasonOf(desk_.Delete("anna")), v1::ERROR_REASON_INVALID_FIELD);
}

TEST_F(OperatorDeskTest, OneCertifiesOneselfAndAnAdminOthers) {
  Create("anna", v1::OPERATOR_ROLE_VIEWER);
  Create("bob", v1::OPERATOR_ROLE_VIEWER);
  clock_.Advance(absl::Hours(24));
  const auto own = desk_.Issue("anna", Role::kViewer, Renewal(""));
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_EQ(own->op.name, "anna");
  EXPECT_EQ(own->op.role, Role::kViewer);
  EXPECT_THAT(ParseCertificateDer(own->certificate)->uri_sans,
              testing::ElementsAre("spiffe://test.example/operator/anna"));
  EXPECT_TRUE(desk_.Issue("anna", Role::kViewer, Renewal("anna")).ok());
  EXPECT_EQ(
      ReasonOf(desk_.Issue("anna", Role::kOperator, Renewal("bob")).status()),
      v1::ERROR_REASON_ROLE_NOT_SUFFICIENT);
  const auto others = desk_.Issue("admin", Role::kAdmin, Renewal("bob"));
  ASSERT_TRUE(others.ok()) << others.status();
  EXPECT_EQ(others->op.name, "bob");
  EXPECT_EQ(others->op.certificate_not_after,
            ParseCertificateDer(others->certificate)->not_after);
  EXPECT_EQ(
      ReasonOf(desk_.Issue("admin", Role::kAdmin, Renewal("cleo")).status()),
      v1::ERROR_REASON_UNKNOWN_RESOURCE);
}

}  // namespace
}  // namespace mc::service
