// gRPC's own lines in our log, and what it must not take from outside.
#ifndef MC_SERVICE_CLI_GRPC_LOG_H_
#define MC_SERVICE_CLI_GRPC_LOG_H_

namespace mc::service {

// Errors of gRPC become lines of our log from Started() on. What it says while
// a program starts comes back as the error of starting; afterwards it is about
// clients, for instance why a handshake was refused. Cipher suites of the
// environment do not count. One for a process, made before gRPC is used.
class GrpcLog {
 public:
  GrpcLog();
  void Started();
};

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_GRPC_LOG_H_
