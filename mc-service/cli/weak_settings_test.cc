#include "mc-service/cli/weak_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <functional>
#include <string>
#include <vector>

#include "common/crypto/openssl.h"
#include "common/files/files.h"
#include "mc-service/testing/service_folder.h"

namespace mc::service {
namespace {

using ::testing::HasSubstr;
using testing::ServiceFolder;

class WeakSettingsTest : public ::testing::Test {
 protected:
  std::vector<Problem> Check(const Configuration& configuration) {
    std::vector<Problem> problems;
    CheckWeakSettings(configuration, problems);
    return problems;
  }

  ServiceFolder folder_;
};

struct Weak {
  std::string where;
  std::function<void(config::ServiceConfig&)> change;
};

TEST_F(WeakSettingsTest, EachIsAWarningWhereItIs) {
  using C = config::ServiceConfig;
  const std::vector<Weak> table = {
      {"enrollment_front",
       [](C& c) {
         c.mutable_listeners()->mutable_enrollment()->set_address(
             "0.0.0.0:8442");
       }},
      {"listeners.cluster.proxy_protocol_from",
       [](C& c) {
         c.mutable_listeners()->mutable_cluster()->add_proxy_protocol_from(
             "0.0.0.0/0");
       }},
      {"listeners.operator.proxy_protocol_from",
       [](C& c) {
         c.mutable_listeners()->mutable_operator_()->add_proxy_protocol_from(
             "::/0");
       }},
      {"limits.max_connections",
       [](C& c) { c.mutable_limits()->set_max_connections(2'000'000); }},
      {"limits.recoveries_per_hour",
       [](C& c) { c.mutable_limits()->set_recoveries_per_hour(100'000); }},
      {"limits.handshake_timeout",
       [](C& c) {
         c.mutable_limits()->mutable_handshake_timeout()->set_seconds(3600);
       }},
      {"certificates.operator_lifetime",
       [](C& c) {
         c.mutable_certificates()->mutable_operator_lifetime()->set_seconds(
             400 * 86400);
       }},
  };
  EXPECT_TRUE(Check(folder_.Load()).empty());
  for (const Weak& weak : table) {
    SCOPED_TRACE(weak.where);
    Configuration configuration = folder_.Load();
    weak.change(configuration.values);
    const auto problems = Check(configuration);
    ASSERT_EQ(problems.size(), 1u) << ProblemsAsText(problems);
    EXPECT_THAT(problems[0].where, HasSubstr(weak.where));
    EXPECT_EQ(problems[0].severity, Problem::Severity::kWarning);
  }
}

TEST_F(WeakSettingsTest, NetworksOfBalancersAreNone) {
  Configuration configuration = folder_.Load();
  for (const char* network : {"10.0.0.0/8", "192.0.2.1", "2001:db8::/32"}) {
    configuration.values.mutable_listeners()
        ->mutable_cluster()
        ->add_proxy_protocol_from(network);
  }
  EXPECT_TRUE(Check(configuration).empty());
}

// Self-signed, of a key and a digest that our own authority never makes.
std::string Certificate(unsigned bits, const EVP_MD* digest, long days) {
  const openssl::Pkey key(EVP_RSA_gen(bits));
  const openssl::Certificate certificate(X509_new());
  openssl::Must(key != nullptr && certificate != nullptr);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), days * 86400);
  X509_set_pubkey(certificate.get(), key.get());
  openssl::Must(X509_sign(certificate.get(), key.get(), digest) > 0);
  const openssl::Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate.get());
  return openssl::Contents(bio.get());
}

TEST_F(WeakSettingsTest, WeakCertificatesOfListenersAreNamed) {
  const Configuration configuration = folder_.Load();
  const std::string file = folder_.state().ServerCertificate().certificate;
  const auto warnings = [&](unsigned bits, const EVP_MD* digest, long days) {
    EXPECT_TRUE(AtomicWrite(file, Certificate(bits, digest, days), 0600).ok());
    return ProblemsAsText(Check(configuration));
  };
  EXPECT_EQ(warnings(2048, EVP_sha256(), 90), "No problems.\n");
  EXPECT_THAT(warnings(1024, EVP_sha256(), 90), HasSubstr("weak RSA key"));
  EXPECT_THAT(warnings(2048, EVP_sha1(), 90), HasSubstr("SHA1"));
  EXPECT_THAT(warnings(2048, EVP_sha256(), 5000), HasSubstr("5000 days"));
}

}  // namespace
}  // namespace mc::service
