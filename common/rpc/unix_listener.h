// A Unix socket for gRPC with an acceptor of our own, which knows who connects.
#ifndef COMMON_RPC_UNIX_LISTENER_H_
#define COMMON_RPC_UNIX_LISTENER_H_

#include <grpcpp/grpcpp.h>
#include <sys/types.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mc {

// Of the process that connected, at that moment (SO_PEERCRED, SO_PEERGROUPS).
struct PeerCredentials {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;

  bool InGroup(gid_t group) const;
};

// Every connection is checked at accept, before gRPC sees it.
class UnixListener {
 public:
  struct Options {
    // 107 characters at most.
    std::string path;
    // Of the socket's file, for instance 0600.
    mode_t mode = 0600;
    // Of the socket's file; absent: this process's own.
    std::optional<gid_t> group;
    std::function<bool(const PeerCredentials&)> allow;
  };

  // Makes the socket; nobody can connect yet. What an ended process left at the
  // path is removed. FAILED_PRECONDITION: a running process listens there, or
  // what is there is no socket. Every error says what to do.
  static absl::StatusOr<std::unique_ptr<UnixListener>> Bind(Options options);
  // As Stop().
  ~UnixListener();
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;

  // Accepts from now on, on a thread of its own, and hands over what is
  // allowed. After the server has started (gRPC leaks a descriptor that it is
  // handed before), which outlives Stop(). May be called once.
  absl::Status Start(grpc::experimental::ExternalConnectionAcceptor* acceptor);

  // Accepts nothing more and removes the socket; to be called before the
  // server's shutdown. May be called again.
  void Stop();

 private:
  UnixListener(Options options, int fd, int wake_fd);

  void Accept();
  void HandOver(int fd);

  const Options options_;
  int fd_;
  // An eventfd that ends the thread.
  int wake_fd_;
  grpc::experimental::ExternalConnectionAcceptor* acceptor_ = nullptr;
  std::thread thread_;
};

}  // namespace mc

#endif  // COMMON_RPC_UNIX_LISTENER_H_
