#include "common/tls/reloading_credentials.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/crypto/openssl.h"
#include "common/tls/identity.h"

namespace mc {
namespace {

using ::testing::HasSubstr;

constexpr char kName[] = "server.test";

using Context = openssl::Owner<SSL_CTX, SSL_CTX_free>;
using Connection = openssl::Owner<SSL, SSL_free>;
using Session = openssl::Owner<SSL_SESSION, SSL_SESSION_free>;

struct Pair {
  std::string cert;
  std::string key;
};

CertificateAuthority Authority() {
  const absl::Time now = RealClock().Now();
  return *CertificateAuthority::Create("CA", now - absl::Hours(1),
                                       now + absl::Hours(1));
}

Pair Issue(const CertificateAuthority& authority, IssueSpec spec) {
  const PrivateKey key = PrivateKey::GenerateP256();
  spec.spki_der = key.PublicSpkiDer();
  spec.not_before = RealClock().Now() - absl::Hours(1);
  spec.not_after = RealClock().Now() + absl::Hours(1);
  return {*CertificateDerToPem(*authority.Issue(spec)), key.ToPem()};
}

Pair ServerPair(const CertificateAuthority& authority) {
  IssueSpec spec;
  spec.dns_sans = {kName};
  spec.server_auth = true;
  return Issue(authority, spec);
}

Pair ClientPair(const CertificateAuthority& authority) {
  IssueSpec spec;
  spec.uri_sans = {ClusterSpiffeId("vendor.test", "one")};
  spec.client_auth = true;
  return Issue(authority, spec);
}

// A TLS client that is not gRPC: it sees what comes after the handshake, and
// resumes sessions.
class PlainClient {
 public:
  explicit PlainClient(const Pair* pair)
      : context_(SSL_CTX_new(TLS_client_method())) {
    static constexpr unsigned char kAlpn[] = {2, 'h', '2'};
    SSL_CTX_set_alpn_protos(context_.get(), kAlpn, sizeof(kAlpn));
    SSL_CTX_set_session_cache_mode(
        context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context_.get(), &PlainClient::Keep);
    SSL_CTX_set_app_data(context_.get(), this);
    if (pair == nullptr) return;
    const auto certificate = *openssl::CertificateFromPem(pair->cert);
    openssl::Must(SSL_CTX_use_certificate(context_.get(), certificate.get()) ==
                  1);
    const PrivateKey key = *PrivateKey::FromPem(pair->key);
    openssl::Must(SSL_CTX_use_PrivateKey(context_.get(), key.get()) == 1);
  }

  void SetMaxVersion(int version) {
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context_.get(), version);
    // OpenSSL's default level forbids the old versions on this side, too.
    SSL_CTX_set_security_level(context_.get(), 0);
  }
  void SetCiphers(const char* ciphers) {
    openssl::Must(SSL_CTX_set_cipher_list(context_.get(), ciphers) == 1);
  }

  // Whether the server speaks HTTP/2 with this client.
  bool Connects(int port) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience = {.tv_sec = 20, .tv_usec = 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    bool spoke = false;
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) ==
        0) {
      const Connection ssl(SSL_new(context_.get()));
      SSL_set_fd(ssl.get(), fd);
      SSL_set_tlsext_host_name(ssl.get(), kName);
      if (session_ != nullptr) SSL_set_session(ssl.get(), session_.get());
      char byte = 0;
      spoke = SSL_connect(ssl.get()) == 1 && SSL_read(ssl.get(), &byte, 1) == 1;
      resumed_ = spoke && SSL_session_reused(ssl.get()) == 1;
      SSL_shutdown(ssl.get());
    }
    ERR_clear_error();
    close(fd);
    return spoke;
  }

  bool resumed() const { return resumed_; }
  bool has_session() const { return session_ != nullptr; }

 private:
  static int Keep(SSL* ssl, SSL_SESSION* session) {
    auto* self =
        static_cast<PlainClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    self->session_.reset(session);
    return 1;
  }

  const Context context_;
  Session session_;
  bool resumed_ = false;
};

// Answers every call with an empty message.
class Answering : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* /*context*/) override {
    return new Answer();
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
};

// Denies what is not /allowed.
class OnePath : public grpc::AuthMetadataProcessor {
 public:
  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext*,
                       OutputMetadata*, OutputMetadata*) override {
    const auto path = metadata.find(":path");
    if (path != metadata.end() && path->second == "/allowed") {
      return grpc::Status::OK;
    }
    return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "not this one");
  }
};

class ReloadingCredentialsTest : public testing::Test {
 protected:
  ReloadingCredentialsTest()
      : server_ca_(Authority()), client_ca_(Authority()) {}

  void Serve(PeerCheck check, bool client_certificates = true) {
    const Pair pair = ServerPair(server_ca_);
    auto made = ReloadingServerCredentials::Create(
        {pair.cert, pair.key, client_certificates ? client_ca_.cert_pem() : ""},
        std::move(check), &clock_);
    ASSERT_TRUE(made.ok()) << made.status();
    credentials_ = *std::move(made);
    credentials_->credentials()->SetAuthMetadataProcessor(
        std::make_shared<OnePath>());
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials_->credentials(),
                             &port_);
    builder.RegisterCallbackGenericService(&service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }
  ~ReloadingCredentialsTest() override {
    if (server_ != nullptr) {
      server_->Shutdown(absl::ToChronoTime(clock_.Now()));
    }
  }

  grpc::Status Call(const CertificateAuthority& trusted, const Pair& client,
                    const std::string& path = "/allowed") {
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride(kName);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    grpc::GenericStub stub(grpc::CreateCustomChannel(
        absl::StrCat("ipv4:127.0.0.1:", port_),
        *MakeChannelCredentials({trusted.cert_pem(), client.cert, client.key}),
        arguments));
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(clock_.Now() + absl::Seconds(20)));
    grpc::ByteBuffer request, response;
    const grpc::Slice empty;
    request = grpc::ByteBuffer(&empty, 1);
    grpc::CompletionQueue queue;
    auto call = stub.PrepareUnaryCall(&context, path, request, &queue);
    call->StartCall();
    grpc::Status status;
    call->Finish(&response, &status, this);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    queue.Shutdown();
    while (queue.Next(&tag, &ok)) {
    }
    return status;
  }

  // gRPC takes up a change within about a second.
  bool Eventually(const std::function<bool()>& holds) {
    const absl::Time deadline = clock_.Now() + absl::Seconds(20);
    while (!holds()) {
      if (clock_.Now() > deadline) return false;
    }
    return true;
  }

  RealClock clock_;
  const CertificateAuthority server_ca_;
  const CertificateAuthority client_ca_;
  int port_ = 0;
  Answering service_;
  std::unique_ptr<ReloadingServerCredentials> credentials_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(ReloadingCredentialsTest, ClientsAreAskedForTheirCertificate) {
  Serve(nullptr);
  const Pair good = ClientPair(client_ca_);
  const Pair other = ClientPair(server_ca_);
  EXPECT_TRUE(PlainClient(&good).Connects(port_));
  EXPECT_FALSE(PlainClient(nullptr).Connects(port_));
  EXPECT_FALSE(PlainClient(&other).Connects(port_));
}

TEST_F(ReloadingCredentialsTest, NobodyIsAskedWithoutAnAuthority) {
  Serve([](std::string_view) { return absl::InternalError("asked"); }, false);
  EXPECT_TRUE(PlainClient(nullptr).Connects(port_));
}

TEST_F(ReloadingCredentialsTest, MetadataProcessorDeniesBeforeTheHandler) {
  Serve(nullptr);
  const Pair client = ClientPair(client_ca_);
  EXPECT_TRUE(Call(server_ca_, client).ok());
  EXPECT_EQ(Call(server_ca_, client, "/other").error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(ReloadingCredentialsTest, CheckRefusesAlsoResumedSessions) {
  std::atomic<bool> revoked = false;
  std::atomic<int> asked = 0;
  Serve([&](std::string_view pem) {
    ++asked;
    EXPECT_EQ(IdentityOfCertificate(pem)->id, "one");
    return revoked ? absl::PermissionDeniedError("revoked") : absl::OkStatus();
  });
  const Pair pair = ClientPair(client_ca_);
  PlainClient client(&pair);
  ASSERT_TRUE(client.Connects(port_));
  EXPECT_EQ(asked, 1);
  ASSERT_TRUE(client.has_session());
  ASSERT_TRUE(client.Connects(port_));
  EXPECT_TRUE(client.resumed());
  EXPECT_EQ(asked, 2);
  revoked = true;
  EXPECT_FALSE(client.Connects(port_));
  EXPECT_FALSE(PlainClient(&pair).Connects(port_));
}

TEST_F(ReloadingCredentialsTest, OldVersionsAndWeakSuitesAreRefused) {
  Serve(nullptr);
  const Pair pair = ClientPair(client_ca_);
  const auto connects = [&](int version, const char* ciphers) {
    PlainClient client(&pair);
    client.SetMaxVersion(version);
    client.SetCiphers(ciphers);
    return client.Connects(port_);
  };
  EXPECT_TRUE(connects(TLS1_3_VERSION, "DEFAULT"));
  EXPECT_TRUE(connects(TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"));
  EXPECT_FALSE(connects(TLS1_1_VERSION, "ALL:@SECLEVEL=0"));
  EXPECT_FALSE(connects(TLS1_VERSION, "ALL:@SECLEVEL=0"));
  // CBC, and key exchange without forward secrecy.
  EXPECT_FALSE(connects(TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"));
  EXPECT_FALSE(
      connects(TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0"));
  EXPECT_FALSE(connects(TLS1_2_VERSION, "AES128-GCM-SHA256:@SECLEVEL=0"));
  EXPECT_FALSE(connects(TLS1_2_VERSION, "aNULL:eNULL:@SECLEVEL=0"));
}

TEST_F(ReloadingCredentialsTest, NewHandshakesGetTheNewCertificate) {
  Serve(nullptr);
  const Pair client = ClientPair(client_ca_);
  ASSERT_TRUE(Call(server_ca_, client).ok());
  const CertificateAuthority next = Authority();
  const Pair pair = ServerPair(next);
  ASSERT_TRUE(
      credentials_->Replace({pair.cert, pair.key, client_ca_.cert_pem()}).ok());
  EXPECT_TRUE(Eventually([&] { return Call(next, client).ok(); }));
  EXPECT_FALSE(Call(server_ca_, client).ok());
}

TEST_F(ReloadingCredentialsTest, AuthoritiesOfClientsComeAndGo) {
  Serve(nullptr);
  const CertificateAuthority next = Authority();
  const Pair old_client = ClientPair(client_ca_);
  const Pair new_client = ClientPair(next);
  PlainClient resuming(&old_client);
  ASSERT_TRUE(resuming.Connects(port_));
  const Pair server = ServerPair(server_ca_);
  ASSERT_TRUE(credentials_
                  ->Replace({server.cert, server.key,
                             client_ca_.cert_pem() + next.cert_pem()})
                  .ok());
  EXPECT_TRUE(
      Eventually([&] { return PlainClient(&new_client).Connects(port_); }));
  EXPECT_TRUE(PlainClient(&old_client).Connects(port_));
  ASSERT_TRUE(
      credentials_->Replace({server.cert, server.key, next.cert_pem()}).ok());
  EXPECT_TRUE(
      Eventually([&] { return !PlainClient(&old_client).Connects(port_); }));
  EXPECT_FALSE(resuming.Connects(port_));
  EXPECT_TRUE(PlainClient(&new_client).Connects(port_));
}

TEST_F(ReloadingCredentialsTest, BrokenOnesChangeNothing) {
  Serve(nullptr);
  const Pair client = ClientPair(client_ca_);
  const std::string ca = client_ca_.cert_pem();
  const Pair one = ServerPair(server_ca_);
  const Pair two = ServerPair(server_ca_);
  EXPECT_TRUE(absl::IsFailedPrecondition(
      credentials_->Replace({one.cert, two.key, ca})));
  EXPECT_TRUE(
      absl::IsInvalidArgument(credentials_->Replace({"garbage", one.key, ca})));
  EXPECT_TRUE(absl::IsInvalidArgument(
      credentials_->Replace({one.cert, one.key, "garbage"})));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      credentials_->Replace({one.cert, one.key, ""})));
  EXPECT_TRUE(Call(server_ca_, client).ok());
}

}  // namespace
}  // namespace mc
