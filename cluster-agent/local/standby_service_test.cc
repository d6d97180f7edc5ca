#include "cluster-agent/local/standby_service.h"

#include <grpcpp/grpcpp.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "cluster-agent/local/local_server.h"
#include "common/files/temp_dir.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "gtest/gtest.h"
#include "missioncontrol/v1/agent_service.grpc.pb.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

TEST(StandbyService, TellsItsStatusAndThatItIsNotTheMaster) {
  const TempDir dir;
  StandbyService service([] {
    v1::GetStatusResponse status;
    status.set_mastership_state(v1::MASTERSHIP_STATE_STANDBY);
    status.set_waiting_for("the Lease");
    return status;
  });
  auto server = LocalServer::Start({.socket = LocalSocket::kAdmin,
                                    .path = dir.File("admin.sock"),
                                    .group = {},
                                    .deps = {},
                                    .instead = &service});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto stub = v1::AgentService::NewStub(
      grpc::CreateChannel(absl::StrCat("unix:", dir.File("admin.sock")),
                          grpc::experimental::LocalCredentials(UDS)));
  for (int i = 0; i < 3; ++i) {
    grpc::ClientContext context;
    v1::GetStatusResponse status;
    const grpc::Status end = stub->GetStatus(&context, {}, &status);
    ASSERT_TRUE(end.ok()) << end.error_message();
    EXPECT_EQ(status.mastership_state(), v1::MASTERSHIP_STATE_STANDBY);
    EXPECT_EQ(status.waiting_for(), "the Lease");
  }
  grpc::ClientContext unary;
  v1::RecordUsageResponse recorded;
  const absl::Status refused =
      FromGrpc(stub->RecordUsage(&unary, {}, &recorded));
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_NOT_MASTER);
  grpc::ClientContext stream;
  v1::WatchSettingsResponse watched;
  auto watch = stub->WatchSettings(&stream, {});
  EXPECT_FALSE(watch->Read(&watched));
  EXPECT_EQ(ReasonOf(FromGrpc(watch->Finish())), v1::ERROR_REASON_NOT_MASTER);
}

}  // namespace
}  // namespace mc::agent
