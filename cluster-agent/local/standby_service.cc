#include "cluster-agent/local/standby_service.h"

#include <grpcpp/grpcpp.h>

#include "common/rpc/byte_buffer.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr char kGetStatus[] = "/missioncontrol.v1.AgentService/GetStatus";

class Refusal : public grpc::ServerGenericBidiReactor {
 public:
  Refusal() {
    Finish(ToGrpc(Error(absl::StatusCode::kFailedPrecondition,
                        v1::ERROR_REASON_NOT_MASTER,
                        "this agent waits to become the master; call the "
                        "master's, or try again later")));
  }
  void OnDone() override { delete this; }
};

// The request says nothing: it is not read.
class Answer : public grpc::ServerGenericBidiReactor {
 public:
  explicit Answer(grpc::ByteBuffer answer) : answer_(std::move(answer)) {
    StartWriteAndFinish(&answer_, grpc::WriteOptions(), grpc::Status::OK);
  }
  void OnDone() override { delete this; }

 private:
  grpc::ByteBuffer answer_;
};

}  // namespace

grpc::ServerGenericBidiReactor* StandbyService::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  if (context->method() != kGetStatus) return new Refusal();
  return new Answer(ToByteBuffer(status_()));
}

}  // namespace mc::agent
