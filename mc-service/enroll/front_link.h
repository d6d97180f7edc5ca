// Where the enrollment front meets the service, on the service's side.
#ifndef MC_SERVICE_ENROLL_FRONT_LINK_H_
#define MC_SERVICE_ENROLL_FRONT_LINK_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/unix_listener.h"

namespace mc::service {

// Serves EnrollmentService on a Unix socket: to this process's own user, root,
// and the processes of the configured group. What the policy table does not
// name for the enrollment listener is denied here, too.
class FrontLink {
 public:
  struct Options {
    std::string socket;
    // A name, or a number where there are no names; empty: the own user alone.
    std::string group = {};
    int64_t max_message_bytes = 4 << 20;
    // Not owned; it outlives the link.
    grpc::Service* service = nullptr;
  };

  // The front can connect when it returns. Errors name enrollment_front.socket
  // or enrollment_front.group, and say what to do.
  static absl::StatusOr<std::unique_ptr<FrontLink>> Start(
      const Options& options);

  // Ends at once what is still open.
  ~FrontLink();

  // Accepts nothing new, waits at most until `deadline` for the open calls,
  // then cancels them. Blocks.
  void Shutdown(absl::Time deadline);

 private:
  FrontLink() = default;

  std::unique_ptr<UnixListener> listener_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_ENROLL_FRONT_LINK_H_
