// What the libraries below this code log by themselves.
#ifndef COMMON_LOG_LIBRARY_LOG_H_
#define COMMON_LOG_LIBRARY_LOG_H_

namespace mc {

// From now on no library prints to standard error: their lines are no JSON, and
// a peer can cause as many as it likes. Protobuf's are dropped: whoever parses
// tells what went wrong. For gRPC's see common/rpc/grpc_log.h. Thread-safe.
void QuietLibraries();

}  // namespace mc

#endif  // COMMON_LOG_LIBRARY_LOG_H_
