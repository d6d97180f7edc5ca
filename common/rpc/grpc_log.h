// gRPC's own lines, which it would print to standard error.
#ifndef COMMON_RPC_GRPC_LOG_H_
#define COMMON_RPC_GRPC_LOG_H_

#include <string_view>

namespace mc {

// Called with each error that gRPC logs from now on, on its threads; null: they
// are dropped. What is less than an error is dropped. Of the process;
// thread-safe.
void SetGrpcLog(void (*on_error)(std::string_view line));

}  // namespace mc

#endif  // COMMON_RPC_GRPC_LOG_H_
