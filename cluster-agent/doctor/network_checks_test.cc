#include "cluster-agent/doctor/network_checks.h"

#include <cerrno>
#include <map>

#include "common/crypto/authority.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1800000000);

// The service's certificate, valid for a day from kNow on.
std::vector<std::string> Chain() {
  const auto authority = CertificateAuthority::Create(
      "Inspector", kNow - absl::Hours(1), kNow + absl::Hours(24 * 365));
  IssueSpec spec;
  spec.spki_der = PrivateKey::GenerateP256().PublicSpkiDer();
  spec.dns_sans = {"mc.example"};
  spec.server_auth = true;
  spec.not_before = kNow - absl::Hours(1);
  spec.not_after = kNow + absl::Hours(24 * 30);
  return {*authority->Issue(spec), authority->cert_der()};
}

// A probe that saw nothing wrong.
Probed Good() {
  Probed probed;
  probed.target = "cluster mc.example:8443";
  probed.roots_name = "ca.crt";
  probed.demands_certificate = true;
  probed.options.host = "mc.example";
  probed.options.port = 8443;
  probed.result.step = ProbeStep::kGreeting;
  probed.result.addresses = {{"192.0.2.1", "192.0.2.9", true, 0}};
  probed.result.chain_der = Chain();
  probed.result.trusted = true;
  probed.result.dates_valid = true;
  probed.result.host_matches = true;
  probed.result.tls_version = "TLSv1.3";
  probed.result.alpn = "h2";
  probed.result.asked_for_client_certificate = true;
  probed.result.greeted = true;
  return probed;
}

std::map<std::string, CheckResult> Checks(const Probed& probed) {
  std::map<std::string, CheckResult> result;
  for (const CheckResult& check : CheckNetwork(probed, kNow)) {
    result[check.check] = check;
    // Whatever is wrong says what to do.
    EXPECT_EQ(check.fix.empty(), check.outcome < Outcome::kWarning)
        << check.check;
    EXPECT_FALSE(check.detail.empty()) << check.check;
  }
  return result;
}

TEST(NetworkChecks, NothingWrongIsOk) {
  for (const auto& [name, check] : Checks(Good())) {
    EXPECT_EQ(check.outcome, Outcome::kOk) << name << ": " << check.detail;
  }
  EXPECT_TRUE(IsUsable(Good().result));
}

TEST(NetworkChecks, WhatDependsOnAFailureIsSkipped) {
  Probed probed = Good();
  probed.result = ProbeResult();
  probed.result.status = absl::NotFoundError("mc.example is unknown");
  const auto checks = Checks(probed);
  for (const auto& [name, check] : checks) {
    if (name == "name resolution") {
      EXPECT_EQ(check.outcome, Outcome::kFailed);
    } else if (name != "proxy") {
      EXPECT_EQ(check.outcome, Outcome::kSkipped) << name;
      EXPECT_THAT(check.detail, HasSubstr("name resolution failed"));
    }
  }
  EXPECT_FALSE(IsUsable(probed.result));
}

TEST(NetworkChecks, RefusedIsNotSilent) {
  Probed probed = Good();
  probed.result.step = ProbeStep::kConnect;
  probed.result.status = absl::UnavailableError("no");
  probed.result.addresses[0].error = ECONNREFUSED;
  EXPECT_THAT(Checks(probed)["port"].fix, HasSubstr("nothing listens"));
  probed.result.addresses[0].error = ETIMEDOUT;
  EXPECT_THAT(Checks(probed)["port"].fix, HasSubstr("firewall drops"));
  EXPECT_EQ(Checks(probed)["route"].outcome, Outcome::kOk);
  probed.result.addresses[0].source = "";
  EXPECT_EQ(Checks(probed)["route"].outcome, Outcome::kFailed);
}

TEST(NetworkChecks, AnotherIssuerIsNamedAsInterception) {
  Probed probed = Good();
  probed.result.trusted = false;
  probed.result.trust_problem = "self-signed";
  auto checks = Checks(probed);
  EXPECT_EQ(checks["interception"].outcome, Outcome::kFailed);
  EXPECT_THAT(checks["interception"].detail, HasSubstr("Inspector"));
  EXPECT_THAT(checks["interception"].fix,
              AllOf(HasSubstr("service.ca_file"),
                    HasSubstr("unless it holds that certificate")));
  EXPECT_EQ(checks["TLS chain"].outcome, Outcome::kFailed);
}

TEST(NetworkChecks, TlsThatEndsBeforeTheServiceIsSeenThere) {
  Probed probed = Good();
  probed.result.asked_for_client_certificate = false;
  EXPECT_EQ(Checks(probed)["interception"].outcome, Outcome::kWarning);
  probed.demands_certificate = false;
  EXPECT_EQ(Checks(probed)["interception"].outcome, Outcome::kOk);
}

TEST(NetworkChecks, TheNamesOfTheCertificateAreTold) {
  Probed probed = Good();
  probed.options.host = "other.example";
  probed.result.host_matches = false;
  EXPECT_THAT(Checks(probed)["host name"].detail,
              HasSubstr("for mc.example, not for other.example"));
}

TEST(NetworkChecks, DatesAreJudgedByTheClock) {
  const Probed probed = Good();
  EXPECT_EQ(CheckDates(probed, kNow).outcome, Outcome::kOk);
  EXPECT_EQ(CheckDates(probed, kNow + absl::Hours(24 * 20)).outcome,
            Outcome::kWarning);
  EXPECT_EQ(CheckDates(probed, kNow + absl::Hours(24 * 31)).outcome,
            Outcome::kFailed);
  EXPECT_THAT(CheckDates(probed, kNow - absl::Hours(2)).fix,
              HasSubstr("clock"));
}

TEST(NetworkChecks, WithoutHttp2NothingGoes) {
  Probed probed = Good();
  probed.result.alpn = "";
  EXPECT_EQ(Checks(probed)["HTTP/2"].outcome, Outcome::kFailed);
  // A refused client certificate is not HTTP/2's fault.
  probed = Good();
  probed.result.greeted = false;
  probed.result.alert = "certificate required";
  EXPECT_EQ(Checks(probed)["HTTP/2"].outcome, Outcome::kOk);
}

TEST(NetworkChecks, ARefusedCertificateIsNoFaultOfTheNetwork) {
  Probed probed = Good();
  probed.options.cert_chain_pem = "shown";
  probed.result.asked_for_client_certificate = true;
  EXPECT_FALSE(RefusesCertificate(probed));
  probed.result.greeted = false;
  probed.result.status = absl::UnavailableError("closed");
  EXPECT_TRUE(RefusesCertificate(probed));
  EXPECT_EQ(Checks(probed)["HTTP/2"].outcome, Outcome::kOk);
  // Somebody else's word about it is none.
  probed.result.trusted = false;
  EXPECT_FALSE(RefusesCertificate(probed));
  EXPECT_EQ(Checks(probed)["HTTP/2"].outcome, Outcome::kFailed);
  probed = Good();
  probed.result.asked_for_client_certificate = true;
  probed.result.greeted = false;
  EXPECT_FALSE(RefusesCertificate(probed)) << "there was none to be shown";
}

TEST(NetworkChecks, AProxysRefusalHasItsAdvice) {
  Probed probed = Good();
  probed.options.proxy = HttpProxy{"proxy", 3128, "agent", "hunter2"};
  probed.result.step = ProbeStep::kProxy;
  probed.result.status = absl::PermissionDeniedError("it refuses: 407");
  probed.result.proxy.emplace();
  probed.result.proxy->status = 407;
  auto checks = Checks(probed);
  EXPECT_EQ(checks["proxy"].outcome, Outcome::kFailed);
  EXPECT_THAT(checks["proxy"].fix, HasSubstr("password"));
  EXPECT_EQ(checks["TLS"].outcome, Outcome::kSkipped);
}

TEST(NetworkChecks, AMinuteIsTheClocksTolerance) {
  EXPECT_EQ(CheckClock("it", kNow, kNow + absl::Seconds(59)).outcome,
            Outcome::kOk);
  const CheckResult behind = CheckClock("it", kNow, kNow - absl::Seconds(120));
  EXPECT_EQ(behind.outcome, Outcome::kWarning);
  EXPECT_THAT(behind.detail, HasSubstr("2m behind it"));
  EXPECT_EQ(CheckClock("it", absl::InfinitePast(), kNow).outcome,
            Outcome::kSkipped);
}

}  // namespace
}  // namespace mc::agent
