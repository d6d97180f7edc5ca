#include "cluster-agent/domain/proxy/proxy.h"

#include <sys/stat.h>

#include <fstream>
#include <map>
#include <string>

#include "common/files/temp_dir.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace config = missioncontrol::config::v1;
using ::testing::HasSubstr;
using ::testing::Not;

class ProxyTest : public testing::Test {
 protected:
  absl::StatusOr<ProxySettings> Load() {
    return ProxySettings::Load(proxy_, [this](const char* name) {
      const auto found = environment_.find(name);
      return found == environment_.end() ? nullptr : found->second.c_str();
    });
  }
  std::string Problem() {
    const absl::StatusOr<ProxySettings> loaded = Load();
    return loaded.ok() ? "none" : std::string(loaded.status().message());
  }
  // host:port of the proxy for an address; "": none.
  std::string For(const std::string& address) {
    const absl::StatusOr<ProxySettings> loaded = Load();
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    if (!loaded.ok()) return "error";
    const auto proxy = loaded->ProxyFor(address);
    return proxy.has_value() ? HostPort(proxy->host, proxy->port) : "";
  }

  config::Proxy proxy_;
  std::map<std::string, std::string> environment_;
  TempDir dir_;
};

TEST_F(ProxyTest, WithoutAnythingThereIsNone) {
  EXPECT_EQ(For("mc.example:443"), "");
  EXPECT_EQ(Load()->source(), "");
}

TEST_F(ProxyTest, TheConfigurationComesBeforeTheEnvironment) {
  environment_["HTTPS_PROXY"] = "http://other:1";
  environment_["NO_PROXY"] = "*";
  proxy_.set_url("http://proxy.example:3128/");
  EXPECT_EQ(For("mc.example:443"), "proxy.example:3128");
  EXPECT_EQ(For("localhost:443"), "proxy.example:3128");
  EXPECT_EQ(Load()->source(), "proxy.url");
}

TEST_F(ProxyTest, TheEnvironmentsUserIsDecoded) {
  environment_["HTTPS_PROXY"] = "http://upper:1";
  environment_["https_proxy"] = "http://us%40er:p%3Aw%2f%@[2001:db8::1]:8080";
  const auto proxy = Load()->ProxyFor("mc.example:443");
  ASSERT_TRUE(proxy.has_value());
  EXPECT_EQ(proxy->host, "2001:db8::1");
  EXPECT_EQ(proxy->port, 8080);
  EXPECT_EQ(proxy->user_name, "us@er");
  EXPECT_EQ(proxy->password, "p:w/%");
  EXPECT_EQ(Load()->source(), "https_proxy");
}

TEST_F(ProxyTest, TheEnvironmentMayLeaveSchemeAndPortOut) {
  environment_["HTTPS_PROXY"] = "proxy.example";
  environment_["NO_PROXY"] = "a.example, .b.example nonsense:x";
  EXPECT_EQ(For("mc.example:443"), "proxy.example:80");
  EXPECT_EQ(For("a.example:443"), "");
  EXPECT_EQ(For("x.b.example:443"), "");
  // As Go does: a variable for the whole machine is not meant for itself.
  for (const char* address :
       {"localhost:1", "LOCALHOST.:1", "127.8.0.1:1", "[::1]:1"}) {
    EXPECT_EQ(For(address), "") << address;
  }
}

TEST_F(ProxyTest, AWildcardAloneTurnsTheEnvironmentOff) {
  environment_["HTTPS_PROXY"] = "socks5://proxy:1";
  EXPECT_THAT(Problem(), HasSubstr("HTTPS_PROXY"));
  proxy_.add_no_proxy("*");
  EXPECT_EQ(For("mc.example:443"), "");
}

TEST_F(ProxyTest, ConfiguredExclusionsTakeTheVariablesPlace) {
  environment_["HTTPS_PROXY"] = "http://proxy:1";
  environment_["NO_PROXY"] = "a.example";
  proxy_.add_no_proxy("b.example");
  EXPECT_EQ(For("a.example:443"), "proxy:1");
  EXPECT_EQ(For("b.example:443"), "");
}

TEST_F(ProxyTest, ProblemsNameTheKeyAndNoSecret) {
  const std::pair<const char*, const char*> cases[] = {
      {"https://proxy:1", "plain HTTP"},
      {"http://proxy:99999", "http://host:port"},
      {"http://", "http://host:port"},
      {"http://pro xy:1", "http://host:port"},
      {"http://proxy:1/path", "has a path"},
      {"http://user:hunter2@proxy:1", "proxy.user_name"},
  };
  for (const auto& [url, problem] : cases) {
    proxy_.set_url(url);
    EXPECT_THAT(Problem(), HasSubstr(problem)) << url;
    EXPECT_THAT(Problem(), HasSubstr("proxy.url")) << url;
    EXPECT_THAT(Problem(), Not(HasSubstr("hunter2")));
  }
  proxy_.Clear();
  environment_["https_proxy"] = "http://user:hunter2@proxy:x";
  EXPECT_THAT(Problem(), HasSubstr("https_proxy"));
  EXPECT_THAT(Problem(), Not(HasSubstr("hunter2")));
  environment_["https_proxy"] = "http://user:hunter2%0d%0a@proxy:1";
  EXPECT_THAT(Problem(), HasSubstr("control characters"));
}

TEST_F(ProxyTest, ThePasswordComesFromAPrivateFile) {
  const std::string file = dir_.File("password");
  std::ofstream(file) << "p ss:word \n";
  chmod(file.c_str(), 0600);
  proxy_.set_url("http://proxy:1");
  proxy_.set_password_file(file);
  EXPECT_THAT(Problem(), HasSubstr("proxy.user_name is missing"));
  proxy_.set_user_name("agent");
  EXPECT_EQ(Load()->ProxyFor("h:1")->password, "p ss:word");
  chmod(file.c_str(), 0644);
  EXPECT_THAT(Problem(), HasSubstr("chmod"));
  environment_["MC_PROXY_PASSWORD"] = "other";
  EXPECT_EQ(Load()->ProxyFor("h:1")->password, "other");
}

TEST_F(ProxyTest, AUserNeedsAPassword) {
  proxy_.set_url("http://proxy:1");
  proxy_.set_user_name("agent");
  EXPECT_THAT(Problem(), HasSubstr("proxy.password_file is missing"));
  environment_["MC_PROXY_PASSWORD"] = "p";
  EXPECT_EQ(Load()->ProxyFor("h:1")->user_name, "agent");
  proxy_.set_user_name("a:b");
  EXPECT_THAT(Problem(), HasSubstr("colon"));
}

bool Matches(const char* rule, const std::string& host, int port = 443) {
  const absl::StatusOr<NoProxyRule> parsed = NoProxyRule::Parse(rule);
  EXPECT_TRUE(parsed.ok()) << rule << ": " << parsed.status();
  return parsed.ok() && parsed->Matches(host, port);
}

TEST(NoProxyRule, ANameCoversWhatIsBelowIt) {
  EXPECT_TRUE(Matches("example.com", "example.com"));
  EXPECT_TRUE(Matches("Example.com.", "MC.eXample.com"));
  EXPECT_TRUE(Matches("example.com", "mc.example.com."));
  EXPECT_FALSE(Matches("example.com", "notexample.com"));
  EXPECT_FALSE(Matches("example.com", "example.com.evil"));
}

TEST(NoProxyRule, ADomainIsNotItself) {
  for (const char* rule : {".example.com", "*.example.com"}) {
    EXPECT_TRUE(Matches(rule, "mc.example.com"));
    EXPECT_FALSE(Matches(rule, "example.com"));
    EXPECT_FALSE(Matches(rule, "mcexample.com"));
  }
}

TEST(NoProxyRule, AddressesAndNetworks) {
  EXPECT_TRUE(Matches("192.0.2.1", "192.0.2.1"));
  EXPECT_FALSE(Matches("192.0.2.1", "192.0.2.10"));
  EXPECT_TRUE(Matches("10.0.0.0/8", "10.255.0.1"));
  EXPECT_TRUE(Matches("10.0.0.0/12", "10.15.0.1"));
  EXPECT_FALSE(Matches("10.0.0.0/12", "10.16.0.1"));
  EXPECT_TRUE(Matches("10.0.0.0/8", "::ffff:10.1.2.3"));
  EXPECT_FALSE(Matches("10.0.0.0/8", "10.example"));
  EXPECT_FALSE(Matches("0.0.0.0/0", "::1"));
  EXPECT_TRUE(Matches("0.0.0.0/0", "203.0.113.9"));
  EXPECT_TRUE(Matches("2001:db8::1", "2001:DB8:0::1"));
  EXPECT_TRUE(Matches("[2001:db8::1]", "2001:db8::1"));
  EXPECT_TRUE(Matches("fd00::/8", "fdff::1"));
  EXPECT_FALSE(Matches("fd00::/8", "fe00::1"));
}

TEST(NoProxyRule, APortNarrowsARule) {
  EXPECT_TRUE(Matches("example.com:443", "mc.example.com", 443));
  EXPECT_FALSE(Matches("example.com:443", "mc.example.com", 8443));
  EXPECT_TRUE(Matches("[2001:db8::1]:443", "2001:db8::1", 443));
  EXPECT_FALSE(Matches("[2001:db8::1]:443", "2001:db8::1", 444));
  EXPECT_TRUE(Matches("10.0.0.0/8:443", "10.0.0.1", 443));
  EXPECT_FALSE(Matches("10.0.0.0/8:443", "10.0.0.1", 444));
}

TEST(NoProxyRule, WhatIsNoRuleIsRefused) {
  for (const char* text : {"", ".", "a b", "10.0.0.0/33", "fd00::/129",
                           "example.com:0", "example.com:x", "ex*mple.com",
                           "http://example.com", "10.0.0.0/", "10.0.0/8"}) {
    EXPECT_FALSE(NoProxyRule::Parse(text).ok()) << text;
  }
  EXPECT_FALSE(NoProxyRule::Parse(std::string("10.0.0.1\0x", 10)).ok());
  EXPECT_TRUE(Matches("*", "anything"));
}

}  // namespace
}  // namespace mc::agent
