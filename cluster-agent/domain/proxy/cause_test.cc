#include "cluster-agent/domain/proxy/cause.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

using ::testing::HasSubstr;

ProxyAnswer Answer(int status, std::vector<std::string> schemes = {}) {
  ProxyAnswer answer;
  answer.status = status;
  answer.schemes = std::move(schemes);
  return answer;
}

TEST(ProxyAdvice, A407DependsOnWhatIsConfiguredAndOffered) {
  EXPECT_THAT(ProxyAdvice(Answer(407, {"Basic"}), true),
              HasSubstr("check proxy.user_name"));
  EXPECT_THAT(ProxyAdvice(Answer(407, {"NTLM", "basic"}), false),
              HasSubstr("set proxy.user_name"));
  EXPECT_THAT(ProxyAdvice(Answer(407, {"NTLM", "Negotiate"}), true),
              HasSubstr("NTLM or Negotiate"));
}

TEST(ProxyAdvice, EachRefusalHasItsOwn) {
  EXPECT_THAT(ProxyAdvice(Answer(403), true), HasSubstr("allow CONNECT"));
  EXPECT_THAT(ProxyAdvice(Answer(503), true), HasSubstr("cannot reach"));
  EXPECT_THAT(ProxyAdvice(Answer(0), true), HasSubstr("an HTTP proxy"));
}

TEST(CauseOf, TheRefusalAndTheAdvice) {
  ProbeOptions options;
  options.host = "mc.example";
  options.port = 8443;
  options.proxy = HttpProxy{"proxy", 3128, "agent", "secret"};
  ProbeResult result;
  result.step = ProbeStep::kProxy;
  result.status = absl::PermissionDeniedError("the proxy refuses: 407");
  result.proxy = Answer(407, {"Basic"});
  const std::string cause = CauseOf(result, options);
  EXPECT_THAT(cause, HasSubstr("refuses: 407; check proxy.user_name"));
  EXPECT_THAT(cause, Not(HasSubstr("secret")));
}

TEST(CauseOf, WhatTheProxyIsNotToBlameForHasNone) {
  ProbeResult result;
  result.step = ProbeStep::kGreeting;
  result.trusted = true;
  // The cluster listener, to which the probe shows no certificate.
  result.status = absl::UnavailableError("alert");
  EXPECT_EQ(CauseOf(result, ProbeOptions()), "");
}

}  // namespace
}  // namespace mc::agent
