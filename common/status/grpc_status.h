// The one bridge between absl::Status and grpc::Status; both ways keep every
// payload, as google.rpc.Status in the call's trailers.
#ifndef COMMON_STATUS_GRPC_STATUS_H_
#define COMMON_STATUS_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace mc {

grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace mc

#endif  // COMMON_STATUS_GRPC_STATUS_H_
