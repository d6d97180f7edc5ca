// Calls any method with any bytes, for tests of what a server lets through.
#ifndef MC_SERVICE_TESTING_RAW_CLIENT_H_
#define MC_SERVICE_TESTING_RAW_CLIENT_H_

#include <google/protobuf/message.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace mc::service::testing {

// Thread-compatible.
class RawClient {
 public:
  explicit RawClient(std::shared_ptr<grpc::Channel> channel)
      : channel_(std::move(channel)), stub_(channel_) {}

  struct Answer {
    grpc::Status status;
    std::vector<std::string> messages;
  };

  // Sends one message and half-closes; waits at most `patience` for the end,
  // and reads at most `max_messages` of the answer before it cancels.
  Answer Call(const std::string& full_method, const std::string& request,
              absl::Duration patience = absl::Seconds(20),
              size_t max_messages = 1000);

  // The services that reflection lists.
  absl::StatusOr<std::set<std::string>> ListServices();
  // Their methods as reflection describes them, "/package.Service/Method".
  absl::StatusOr<std::set<std::string>> ListMethods();

 private:
  absl::StatusOr<std::unique_ptr<google::protobuf::Message>> Reflect(
      const std::string& field, const std::string& value);

  std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub stub_;
};

}  // namespace mc::service::testing

#endif  // MC_SERVICE_TESTING_RAW_CLIENT_H_
