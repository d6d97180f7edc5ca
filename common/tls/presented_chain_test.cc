#include "common/tls/presented_chain.h"

#include <arpa/inet.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/tls/credentials.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc {
namespace {

using ::testing::HasSubstr;

// A port of this machine that takes connections and never says anything.
class SilentListener {
 public:
  SilentListener() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(fd_, 4), 0);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~SilentListener() { close(fd_); }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  const int fd_;
  int port_ = 0;
};

TEST(PresentedChain, IsWhatTheServerPresentsWhoeverIssuedIt) {
  const RealClock clock;
  const absl::Time now = clock.Now();
  const CertificateAuthority ca = *CertificateAuthority::Create(
      "nobody knows it", now - absl::Hours(1), now + absl::Hours(1));
  const PrivateKey key = PrivateKey::GenerateP256();
  IssueSpec spec;
  spec.spki_der = key.PublicSpkiDer();
  spec.dns_sans = {"another.name"};
  spec.server_auth = true;
  spec.not_before = now - absl::Hours(1);
  spec.not_after = now + absl::Hours(1);
  const std::string leaf = *ca.Issue(spec);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(
      "localhost:0",
      *MakeServerCredentials({.cert_chain_pem = absl::StrCat(
                                  *CertificateDerToPem(leaf), ca.cert_pem()),
                              .key_pem = key.ToPem(),
                              .client_ca_pem = ""},
                             clock),
      &port);
  grpc::CallbackGenericService service;
  builder.RegisterCallbackGenericService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const auto chain = PresentedChain(absl::StrCat("localhost:", port),
                                    "some.name", absl::Seconds(30), clock);
  ASSERT_TRUE(chain.ok()) << chain.status();
  EXPECT_THAT(*chain, testing::ElementsAre(leaf, ca.cert_der()));
  server->Shutdown();
}

TEST(PresentedChain, WhereNobodyAnswersItSaysSo) {
  const RealClock clock;
  std::string free;
  { free = SilentListener().address(); }
  const auto refused = PresentedChain(free, "n", absl::Seconds(30), clock);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr(free));
  EXPECT_EQ(
      PresentedChain("nowhere", "n", absl::Seconds(30), clock).status().code(),
      absl::StatusCode::kUnavailable);
}

TEST(PresentedChain, AServerThatSaysNothingIsGivenUp) {
  const SilentListener listener;
  const auto chain = PresentedChain(listener.address(), "n",
                                    absl::Milliseconds(50), RealClock());
  EXPECT_EQ(chain.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(chain.status().message()), HasSubstr("too long"));
}

}  // namespace
}  // namespace mc
