#include "common/tls/renewing_credentials.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/time/clock.h"

namespace mc {
namespace {

constexpr char kName[] = "server.test";

class RenewingCredentialsTest : public testing::Test {
 protected:
  RenewingCredentialsTest()
      : first_(Make()), second_(Make()), current_(&first_) {
    credentials_ = RenewingServerCredentials(
        false, [this]() -> absl::StatusOr<std::optional<ServerTls>> {
          if (failing_) return absl::InternalError("no certificate");
          const CertificateAuthority* const ca = current_.load();
          if (std::exchange(served_, ca) == ca) return std::nullopt;
          return Leaf(*ca);
        });
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials_, &port_);
    builder.RegisterCallbackGenericService(&generic_);
    server_ = builder.BuildAndStart();
  }
  ~RenewingCredentialsTest() override { server_->Shutdown(); }

  CertificateAuthority Make() {
    return *CertificateAuthority::Create("CA", clock_.Now() - absl::Hours(1),
                                         clock_.Now() + absl::Hours(1));
  }
  ServerTls Leaf(const CertificateAuthority& ca) {
    const PrivateKey key = PrivateKey::GenerateP256();
    IssueSpec spec;
    spec.spki_der = key.PublicSpkiDer();
    spec.dns_sans = {kName};
    spec.server_auth = true;
    spec.not_before = clock_.Now() - absl::Hours(1);
    spec.not_after = clock_.Now() + absl::Hours(1);
    return {*CertificateDerToPem(*ca.Issue(spec)), key.ToPem(), ""};
  }
  bool Connects(const CertificateAuthority& trusted) {
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride(kName);
    // A channel with the same settings would be the one that is open already.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel = grpc::CreateCustomChannel(
        absl::StrCat("127.0.0.1:", port_),
        *MakeChannelCredentials({trusted.cert_pem(), "", ""}), arguments);
    grpc_connectivity_state state = channel->GetState(true);
    const auto deadline = gpr_time_add(gpr_now(GPR_CLOCK_REALTIME),
                                       gpr_time_from_seconds(20, GPR_TIMESPAN));
    while (state != GRPC_CHANNEL_READY &&
           state != GRPC_CHANNEL_TRANSIENT_FAILURE &&
           channel->WaitForStateChange(state, deadline)) {
      state = channel->GetState(true);
    }
    return state == GRPC_CHANNEL_READY;
  }

  RealClock clock_;
  const CertificateAuthority first_;
  const CertificateAuthority second_;
  std::atomic<const CertificateAuthority*> current_;
  std::atomic<bool> failing_ = false;
  const CertificateAuthority* served_ = nullptr;
  int port_ = 0;
  grpc::CallbackGenericService generic_;
  std::shared_ptr<grpc::ServerCredentials> credentials_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(RenewingCredentialsTest, NewConnectionsGetTheNewCertificate) {
  ASSERT_NE(server_, nullptr);
  EXPECT_TRUE(Connects(first_));
  EXPECT_FALSE(Connects(second_));
  current_ = &second_;
  EXPECT_TRUE(Connects(second_));
  EXPECT_FALSE(Connects(first_));
}

TEST_F(RenewingCredentialsTest, TheOldCertificateStaysWhereThereIsNoNewOne) {
  EXPECT_TRUE(Connects(first_));
  failing_ = true;
  EXPECT_TRUE(Connects(first_));
}

}  // namespace
}  // namespace mc
