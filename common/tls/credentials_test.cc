#include "common/tls/credentials.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/tls/identity.h"

namespace mc {
namespace {

// gRPC compares with the machine's clock.
const absl::Time kNow = RealClock().Now();
constexpr char kClusterId[] = "0f8fad5b-d9cb-469f-a165-70867728950e";

CertificateAuthority Authority() {
  return *CertificateAuthority::Create("Test CA", kNow - absl::Hours(1),
                                       kNow + absl::Hours(1));
}

struct Pair {
  std::string cert;
  std::string key;
};

Pair Issue(const CertificateAuthority& authority, IssueSpec spec) {
  const PrivateKey key = PrivateKey::GenerateP256();
  spec.spki_der = key.PublicSpkiDer();
  spec.not_before = kNow - absl::Minutes(5);
  spec.not_after = kNow + absl::Minutes(50);
  return {*CertificateDerToPem(*authority.Issue(spec)), key.ToPem()};
}

Pair ServerPair(const CertificateAuthority& authority) {
  IssueSpec spec;
  spec.dns_sans = {"mc.test"};
  spec.server_auth = true;
  return Issue(authority, spec);
}

Pair ClientPair(const CertificateAuthority& authority) {
  IssueSpec spec;
  spec.uri_sans = {ClusterSpiffeId("vendor.test", kClusterId)};
  spec.client_auth = true;
  return Issue(authority, spec);
}

// Answers every method with an empty message, and keeps who called last.
class WhoCalls : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    {
      absl::MutexLock lock(&mutex_);
      identity_ = PeerIdentityOf(*context->auth_context());
    }
    return new Answer();
  }

  absl::StatusOr<PeerIdentity> identity() {
    absl::MutexLock lock(&mutex_);
    return identity_;
  }

 private:
  class Answer : public grpc::ServerGenericBidiReactor {
   public:
    Answer() {
      StartWriteAndFinish(&empty_, grpc::WriteOptions(), grpc::Status::OK);
    }
    void OnDone() override { delete this; }

   private:
    grpc::Slice slice_;
    grpc::ByteBuffer empty_{&slice_, 1};
  };

  absl::Mutex mutex_;
  absl::StatusOr<PeerIdentity> identity_ ABSL_GUARDED_BY(mutex_) =
      absl::UnknownError("nobody has called");
};

class TlsTest : public ::testing::Test {
 protected:
  void Serve(const std::string& client_ca_pem) {
    const Pair pair = ServerPair(server_ca_);
    auto credentials =
        MakeServerCredentials({pair.cert, pair.key, client_ca_pem});
    ASSERT_TRUE(credentials.ok()) << credentials.status();
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", *credentials, &port_);
    builder.RegisterCallbackGenericService(&service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }

  void TearDown() override {
    if (server_ != nullptr) {
      server_->Shutdown(absl::ToChronoTime(kNow));
      server_->Wait();
    }
  }

  grpc::Status Call(const ClientTls& tls, const std::string& host = "mc.test") {
    auto credentials = MakeChannelCredentials(tls);
    EXPECT_TRUE(credentials.ok()) << credentials.status();
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride(host);
    grpc::GenericStub stub(grpc::CreateCustomChannel(
        "ipv4:127.0.0.1:" + std::to_string(port_), *credentials, arguments));
    grpc::ClientContext context;
    context.set_deadline(
        absl::ToChronoTime(RealClock().Now() + absl::Seconds(20)));
    grpc::Slice slice;
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    grpc::Status result;
    absl::Notification finished;
    stub.UnaryCall(&context, "/test.Service/Call", grpc::StubOptions(),
                   &request, &response, [&](grpc::Status status) {
                     result = std::move(status);
                     finished.Notify();
                   });
    finished.WaitForNotification();
    return result;
  }

  CertificateAuthority server_ca_ = Authority();
  CertificateAuthority client_ca_ = Authority();
  WhoCalls service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(TlsTest, RightCertificateArrivesWithItsIdentity) {
  Serve(client_ca_.cert_pem());
  const Pair client = ClientPair(client_ca_);
  const grpc::Status status =
      Call({server_ca_.cert_pem(), client.cert, client.key});
  ASSERT_TRUE(status.ok()) << status.error_message();
  absl::StatusOr<PeerIdentity> identity = service_.identity();
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->trust_domain, "vendor.test");
  EXPECT_EQ(identity->kind, "cluster");
  EXPECT_EQ(identity->id, kClusterId);
  EXPECT_EQ(identity->serial_hex, ParseCertificatePem(client.cert)->serial_hex);
}

TEST_F(TlsTest, ClientWithoutACertificateIsRefused) {
  Serve(client_ca_.cert_pem());
  EXPECT_EQ(Call({server_ca_.cert_pem(), "", ""}).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(service_.identity().status().code(), absl::StatusCode::kUnknown);
}

TEST_F(TlsTest, ClientOfAnotherAuthorityIsRefused) {
  Serve(client_ca_.cert_pem());
  const Pair client = ClientPair(Authority());
  EXPECT_EQ(Call({server_ca_.cert_pem(), client.cert, client.key}).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(service_.identity().status().code(), absl::StatusCode::kUnknown);
}

TEST_F(TlsTest, ServersCertificateIsNoClientCertificate) {
  Serve(server_ca_.cert_pem());
  const Pair server = ServerPair(server_ca_);
  EXPECT_EQ(Call({server_ca_.cert_pem(), server.cert, server.key}).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, ServerOfAnotherNameOrAuthorityIsRefused) {
  Serve("");
  EXPECT_EQ(Call({server_ca_.cert_pem(), "", ""}, "other.test").error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call({Authority().cert_pem(), "", ""}).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(service_.identity().status().code(), absl::StatusCode::kUnknown);
}

TEST_F(TlsTest, WhereNoneIsAskedTheCallerHasNoIdentity) {
  Serve("");
  const grpc::Status status = Call({server_ca_.cert_pem(), "", ""});
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(service_.identity().status().code(),
            absl::StatusCode::kUnauthenticated);
}

TEST(Credentials, BadMaterialIsNamedBeforeItIsUsed) {
  const CertificateAuthority authority = Authority();
  const Pair good = ServerPair(authority);
  const Pair other = ServerPair(authority);
  const auto code = [](const ServerTls& tls) {
    return MakeServerCredentials(tls).status().code();
  };
  EXPECT_EQ(code({good.cert, good.key, ""}), absl::StatusCode::kOk);
  EXPECT_EQ(code({good.cert, other.key, ""}),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code({"", good.key, ""}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({good.cert, "", ""}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({good.cert, good.key, "no PEM"}),
            absl::StatusCode::kInvalidArgument);
  const auto client = [](const ClientTls& tls) {
    return MakeChannelCredentials(tls).status().code();
  };
  EXPECT_EQ(client({"no PEM", "", ""}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(client({authority.cert_pem(), good.cert, ""}),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(client({authority.cert_pem(), good.cert, other.key}),
            absl::StatusCode::kFailedPrecondition);
}

TEST(Credentials, AServersDatesAreChecked) {
  const Pair good = ServerPair(Authority());
  SimulatedClock clock(kNow);
  EXPECT_TRUE(MakeServerCredentials({good.cert, good.key, ""}, clock).ok());
  clock.SetNow(kNow + absl::Hours(1));
  const absl::Status expired =
      MakeServerCredentials({good.cert, good.key, ""}, clock).status();
  EXPECT_EQ(expired.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(expired.message().find("expired at"), absl::string_view::npos);
  clock.SetNow(kNow - absl::Hours(1));
  EXPECT_NE(MakeServerCredentials({good.cert, good.key, ""}, clock)
                .status()
                .message()
                .find("not valid before"),
            absl::string_view::npos);
}

TEST(Credentials, SystemRootsAreCertificatesWhereThereAreAny) {
  absl::StatusOr<std::string> roots = SystemRoots();
  if (roots.ok()) {
    EXPECT_TRUE(CertificateChainPemToDer(*roots).ok());
    EXPECT_TRUE(MakeChannelCredentials({}).ok());
  } else {
    EXPECT_EQ(roots.status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(MakeChannelCredentials({}).status(), roots.status());
  }
}

}  // namespace
}  // namespace mc
