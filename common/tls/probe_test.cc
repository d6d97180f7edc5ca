#include "common/tls/probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/crypto/openssl.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// The system's clock, set to another time.
class ShiftedClock : public RealClock {
 public:
  explicit ShiftedClock(absl::Duration shift) : shift_(shift) {}
  absl::Time Now() const override { return RealClock::Now() + shift_; }

 private:
  const absl::Duration shift_;
};

struct Pair {
  std::string chain_pem;
  std::string key_pem;
};

CertificateAuthority MakeAuthority(const char* name) {
  const absl::Time now = RealClock().Now();
  return *CertificateAuthority::Create(name, now - absl::Hours(1),
                                       now + absl::Hours(1000));
}

Pair MakePair(const CertificateAuthority& authority, bool server) {
  const absl::Time now = RealClock().Now();
  const PrivateKey key = PrivateKey::GenerateP256();
  IssueSpec spec;
  spec.spki_der = key.PublicSpkiDer();
  if (server) {
    spec.dns_sans = {"localhost"};
    spec.ip_sans = {"127.0.0.1"};
  }
  spec.server_auth = server;
  spec.client_auth = !server;
  spec.not_before = now - absl::Hours(1);
  spec.not_after = now + absl::Hours(24);
  const std::string leaf = *CertificateDerToPem(*authority.Issue(spec));
  return {leaf + authority.cert_pem(), key.ToPem()};
}

// Listens on a port of its own, and serves one connection.
class Server {
 public:
  struct Script {
    // Sent when the head of a request has come; empty: TLS begins at once.
    std::string proxy_answer;
    // Absent: no TLS.
    std::optional<Pair> tls;
    std::string client_ca_pem;
    bool http2 = true;
    bool tls12 = false;
    // Nothing is accepted.
    bool silent = false;
  };

  explicit Server(Script script) : script_(std::move(script)) {
    std::signal(SIGPIPE, SIG_IGN);
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_, generic, size), 0);
    EXPECT_EQ(getsockname(listener_, generic, &size), 0);
    EXPECT_EQ(listen(listener_, 4), 0);
    port_ = ntohs(address.sin_port);
    if (!script_.silent) thread_ = std::thread([this] { Serve(); });
  }
  ~Server() {
    shutdown(listener_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    close(listener_);
  }

  int port() const { return port_; }
  // What came before TLS; after the probe.
  std::string Request() {
    thread_.join();
    return request_;
  }
  // Whether the client has shown a certificate; after the probe.
  bool WasShownACertificate() {
    thread_.join();
    return was_shown_;
  }

 private:
  void Serve() {
    const int fd = accept(listener_, nullptr, nullptr);
    if (fd < 0) return;
    if (!script_.proxy_answer.empty()) {
      char byte = 0;
      while (request_.find("\r\n\r\n") == std::string::npos &&
             read(fd, &byte, 1) == 1) {
        request_ += byte;
      }
      send(fd, script_.proxy_answer.data(), script_.proxy_answer.size(),
           MSG_NOSIGNAL);
    }
    if (script_.tls.has_value()) ServeTls(fd);
    close(fd);
  }

  void ServeTls(int fd) {
    openssl::Owner<SSL_CTX, SSL_CTX_free> context(
        SSL_CTX_new(TLS_server_method()));
    const auto chain = *CertificateChainPemToDer(script_.tls->chain_pem);
    SSL_CTX_use_certificate(context.get(),
                            openssl::CertificateFromDer(chain[0])->get());
    SSL_CTX_add1_chain_cert(context.get(),
                            openssl::CertificateFromDer(chain[1])->get());
    SSL_CTX_use_PrivateKey(context.get(),
                           PrivateKey::FromPem(script_.tls->key_pem)->get());
    if (!script_.client_ca_pem.empty()) {
      X509_STORE_add_cert(
          SSL_CTX_get_cert_store(context.get()),
          openssl::CertificateFromPem(script_.client_ca_pem)->get());
      SSL_CTX_set_verify(context.get(),
                         SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                         nullptr);
    }
    if (script_.tls12) {
      SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
    }
    if (script_.http2) {
      SSL_CTX_set_alpn_select_cb(
          context.get(),
          [](SSL*, const unsigned char** out, unsigned char* size,
             const unsigned char* in, unsigned int, void*) {
            *out = in + 1;
            *size = in[0];
            return SSL_TLSEXT_ERR_OK;
          },
          nullptr);
    }
    openssl::Owner<SSL, SSL_free> tls(SSL_new(context.get()));
    SSL_set_fd(tls.get(), fd);
    const bool accepted = SSL_accept(tls.get()) == 1;
    was_shown_ = SSL_get0_peer_certificate(tls.get()) != nullptr;
    if (!accepted) return;
    constexpr std::string_view kSettings("\0\0\0\4\0\0\0\0\0", 9);
    constexpr std::string_view kError("HTTP/1.1 400 Bad Request\r\n\r\n");
    const std::string_view answer = script_.http2 ? kSettings : kError;
    SSL_write(tls.get(), answer.data(), static_cast<int>(answer.size()));
    char bytes[64];
    while (SSL_read(tls.get(), bytes, sizeof(bytes)) > 0) {
    }
  }

  const Script script_;
  int listener_ = -1;
  int port_ = 0;
  std::string request_;
  bool was_shown_ = false;
  std::thread thread_;
};

class ProbeTest : public testing::Test {
 protected:
  ProbeOptions To(const Server& server) const {
    ProbeOptions options;
    options.host = "127.0.0.1";
    options.port = server.port();
    options.root_pem = authority_.cert_pem();
    return options;
  }
  ProbeOptions Through(const Server& proxy) const {
    ProbeOptions options = To(proxy);
    options.host = "localhost";
    options.port = 8443;
    options.proxy = HttpProxy{"127.0.0.1", proxy.port(), "agent", "pass:word"};
    return options;
  }
  Server::Script Tls() const {
    return {.proxy_answer = "",
            .tls = MakePair(authority_, true),
            .client_ca_pem = "",
            .http2 = true,
            .tls12 = false,
            .silent = false};
  }

  const RealClock clock_{};
  const CertificateAuthority authority_ = MakeAuthority("Expected CA");
};

TEST_F(ProbeTest, EveryStepIsTold) {
  Server server(Tls());
  const ProbeResult result = Probe(To(server), clock_);
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.step, ProbeStep::kGreeting);
  ASSERT_THAT(result.addresses, SizeIs(1));
  EXPECT_EQ(result.addresses[0].address, "127.0.0.1");
  EXPECT_EQ(result.addresses[0].source, "127.0.0.1");
  EXPECT_THAT(result.chain_der, SizeIs(2));
  EXPECT_TRUE(result.trusted);
  EXPECT_TRUE(result.dates_valid);
  EXPECT_TRUE(result.host_matches);
  EXPECT_TRUE(result.greeted);
  EXPECT_EQ(result.alpn, "h2");
  EXPECT_EQ(result.tls_version, "TLSv1.3");
  EXPECT_FALSE(result.asked_for_client_certificate);
}

TEST_F(ProbeTest, AnUnknownCaIsToldAndEndsNothing) {
  Server server(Tls());
  ProbeOptions options = To(server);
  options.root_pem = MakeAuthority("Another CA").cert_pem();
  const ProbeResult result = Probe(options, clock_);
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_FALSE(result.trusted);
  EXPECT_FALSE(result.greeted);
  EXPECT_TRUE(result.dates_valid);
  EXPECT_THAT(result.trust_problem, HasSubstr("self-signed"));
  EXPECT_THAT(ParseCertificateDer(result.chain_der[0])->issuer_name,
              HasSubstr("Expected CA"));
}

TEST_F(ProbeTest, DatesAreTheClocks) {
  for (const absl::Duration shift : {absl::Hours(48), -absl::Hours(48)}) {
    Server server(Tls());
    const ProbeResult result = Probe(To(server), ShiftedClock(shift));
    EXPECT_FALSE(result.dates_valid);
    EXPECT_TRUE(result.trusted) << result.trust_problem;
  }
}

TEST_F(ProbeTest, TheNameIsCheckedAgainstTheCertificate) {
  Server server(Tls());
  ProbeOptions options = To(server);
  options.host = "127.0.0.2";
  ProbeResult result = Probe(options, clock_);
  // It listens on 127.0.0.1 alone: the proxy of the next case goes there.
  EXPECT_EQ(result.step, ProbeStep::kConnect);
  Server::Script script = Tls();
  script.proxy_answer = "HTTP/1.1 200 Connection established\r\n\r\n";
  Server proxy(script);
  options = Through(proxy);
  options.host = "other.example";
  result = Probe(options, clock_);
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_FALSE(result.host_matches);
  EXPECT_FALSE(result.greeted) << "to another nothing is said";
}

TEST_F(ProbeTest, AClientCertificateIsShownWhereItIsAskedFor) {
  Server::Script script = Tls();
  script.client_ca_pem = authority_.cert_pem();
  {
    Server server(script);
    const ProbeResult result = Probe(To(server), clock_);
    EXPECT_TRUE(result.asked_for_client_certificate);
    EXPECT_FALSE(result.greeted);
    EXPECT_THAT(result.alert, HasSubstr("certificate required"));
    EXPECT_EQ(result.step, ProbeStep::kGreeting);
  }
  Server server(script);
  ProbeOptions options = To(server);
  const Pair own = MakePair(authority_, false);
  options.cert_chain_pem = own.chain_pem;
  options.key_pem = own.key_pem;
  const ProbeResult result = Probe(options, clock_);
  EXPECT_TRUE(result.greeted) << result.status;
  EXPECT_TRUE(server.WasShownACertificate());
}

TEST_F(ProbeTest, AClientCertificateIsShownToNobodyElse) {
  Server::Script script = Tls();
  script.client_ca_pem = authority_.cert_pem();
  const Pair own = MakePair(authority_, false);
  const auto asks = [&](const auto& change, absl::Duration shift) {
    Server server(script);
    ProbeOptions options = To(server);
    options.cert_chain_pem = own.chain_pem;
    options.key_pem = own.key_pem;
    change(options);
    const ProbeResult result = Probe(options, ShiftedClock(shift));
    EXPECT_TRUE(result.asked_for_client_certificate);
    EXPECT_FALSE(result.greeted);
    EXPECT_FALSE(server.WasShownACertificate());
  };
  const auto nothing = [](ProbeOptions&) {};
  asks(
      [](ProbeOptions& options) {
        options.root_pem = MakeAuthority("Another CA").cert_pem();
      },
      absl::ZeroDuration());
  asks([](ProbeOptions& options) { options.server_name = "other.example"; },
       absl::ZeroDuration());
  asks(nothing, absl::Hours(48));
}

TEST_F(ProbeTest, ARefusalWithinTheHandshakeIsDescribed) {
  Server::Script script = Tls();
  script.client_ca_pem = authority_.cert_pem();
  script.tls12 = true;
  Server server(script);
  ProbeOptions options = To(server);
  const Pair foreign = MakePair(MakeAuthority("Another CA"), false);
  options.cert_chain_pem = foreign.chain_pem;
  options.key_pem = foreign.key_pem;
  const ProbeResult result = Probe(options, clock_);
  EXPECT_EQ(result.step, ProbeStep::kHandshake);
  EXPECT_FALSE(result.status.ok());
  EXPECT_TRUE(result.trusted && result.dates_valid && result.host_matches);
  EXPECT_TRUE(result.asked_for_client_certificate);
}

TEST_F(ProbeTest, AServerWithoutHttp2IsTold) {
  Server::Script script = Tls();
  script.http2 = false;
  Server server(script);
  const ProbeResult result = Probe(To(server), clock_);
  EXPECT_EQ(result.alpn, "");
  EXPECT_FALSE(result.greeted);
  EXPECT_THAT(std::string(result.status.message()), HasSubstr("not HTTP/2"));
}

TEST_F(ProbeTest, ARefusedPortIsNoSilentOne) {
  ProbeOptions options;
  options.host = "127.0.0.1";
  {
    Server server({.proxy_answer = "",
                   .tls = {},
                   .client_ca_pem = "",
                   .http2 = true,
                   .tls12 = false,
                   .silent = true});
    options.port = server.port();
  }
  const ProbeResult refused = Probe(options, clock_);
  EXPECT_EQ(refused.step, ProbeStep::kConnect);
  ASSERT_THAT(refused.addresses, SizeIs(1));
  EXPECT_EQ(refused.addresses[0].error, ECONNREFUSED);
}

TEST_F(ProbeTest, ASilentServerCostsTheTimeoutAtMost) {
  Server server({.proxy_answer = "",
                 .tls = {},
                 .client_ca_pem = "",
                 .http2 = true,
                 .tls12 = false,
                 .silent = true});
  ProbeOptions options = To(server);
  options.timeout = absl::Milliseconds(200);
  const absl::Duration begin = clock_.SinceBoot();
  const ProbeResult result = Probe(options, clock_);
  EXPECT_LT(clock_.SinceBoot() - begin, absl::Seconds(60));
  EXPECT_EQ(result.step, ProbeStep::kHandshake);
  EXPECT_THAT(std::string(result.status.message()), HasSubstr("in time"));
}

TEST_F(ProbeTest, AProxyOpensATunnel) {
  Server::Script script = Tls();
  script.proxy_answer =
      "HTTP/1.0 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
  Server proxy(script);
  const ProbeResult result = Probe(Through(proxy), clock_);
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_TRUE(result.trusted && result.host_matches && result.greeted);
  ASSERT_TRUE(result.proxy.has_value());
  EXPECT_EQ(result.proxy->date, absl::FromUnixSeconds(784111777));
  const std::string request = proxy.Request();
  EXPECT_THAT(request, HasSubstr("CONNECT localhost:8443 HTTP/1.1\r\n"));
  // Of agent:pass:word.
  EXPECT_THAT(request, HasSubstr("Basic YWdlbnQ6cGFzczp3b3Jk\r\n"));
}

TEST_F(ProbeTest, AProxysRefusalIsTold) {
  Server::Script script;
  script.proxy_answer =
      "HTTP/1.1 407 Proxy Authentication Required\r\n"
      "Proxy-Authenticate: Basic realm=\"x\"\r\n"
      "proxy-authenticate: NTLM\r\n\r\n";
  Server proxy(script);
  const ProbeResult result = Probe(Through(proxy), clock_);
  EXPECT_EQ(result.step, ProbeStep::kProxy);
  ASSERT_TRUE(result.proxy.has_value());
  EXPECT_EQ(result.proxy->status, 407);
  EXPECT_THAT(result.proxy->schemes, ElementsAre("Basic", "NTLM"));
  EXPECT_THAT(std::string(result.status.message()),
              HasSubstr("407 Proxy Authentication Required"));
}

TEST_F(ProbeTest, WhatIsNoProxyIsTold) {
  Server::Script script;
  script.proxy_answer = "SSH-2.0-\x1b[31m\r\n\r\n";
  Server proxy(script);
  const ProbeResult result = Probe(Through(proxy), clock_);
  ASSERT_TRUE(result.proxy.has_value());
  EXPECT_EQ(result.proxy->status, 0);
  EXPECT_THAT(std::string(result.status.message()), HasSubstr("no HTTP proxy"));
}

TEST_F(ProbeTest, AStatusIsAPositiveNumber) {
  Server::Script script;
  script.proxy_answer = "HTTP/1.1 -12 none\r\n\r\n";
  Server proxy(script);
  const ProbeResult result = Probe(Through(proxy), clock_);
  ASSERT_TRUE(result.proxy.has_value());
  EXPECT_EQ(result.proxy->status, 0);
}

TEST_F(ProbeTest, OfManySchemesTheFirstAreTold) {
  Server::Script script;
  script.proxy_answer = "HTTP/1.1 407 no\r\n";
  for (int i = 0; i < 500; ++i) {
    script.proxy_answer += "Proxy-Authenticate: Basic\r\n";
  }
  script.proxy_answer += "\r\n";
  Server proxy(script);
  const ProbeResult result = Probe(Through(proxy), clock_);
  ASSERT_TRUE(result.proxy.has_value());
  EXPECT_EQ(result.proxy->status, 407);
  EXPECT_EQ(result.proxy->schemes.size(), 16u);
}

TEST(Dial, ANameThatIsNotThereIsNotFound) {
  const RealClock clock;
  ProbeOptions options;
  options.host = "no-such-name.invalid";
  options.port = 1;
  options.timeout = absl::Seconds(5);
  const ProbeResult result = Probe(options, clock);
  EXPECT_EQ(result.step, ProbeStep::kResolve);
  EXPECT_FALSE(result.status.ok());
}

TEST(Dial, AddressesHaveAPort) {
  EXPECT_EQ(SplitHostPort("a.example:443")->first, "a.example");
  EXPECT_EQ(SplitHostPort("[::1]:443")->first, "::1");
  EXPECT_EQ(SplitHostPort("[::1]:443")->second, 443);
  for (const char* bad : {"", "a", "a:", ":1", "a:0", "a:65536", "::1:443",
                          "[::1]", "[a]:1", "a:b:1"}) {
    EXPECT_FALSE(SplitHostPort(bad).ok()) << bad;
  }
  EXPECT_EQ(HostPort("::1", 443), "[::1]:443");
  EXPECT_EQ(HostPort("a.example", 443), "a.example:443");
}

}  // namespace
}  // namespace mc
