#include "common/rpc/unix_listener.h"

#include <fcntl.h>
#include <grpcpp/server_builder.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

namespace mc {
namespace {

constexpr int kBacklog = 64;
// When there are no descriptors: how long before the next try.
constexpr int kExhaustedPauseMs = 100;

absl::Status Errno(const std::string& path, std::string_view what) {
  return absl::UnavailableError(
      absl::StrCat(path, ": ", absl::string_view(what.data(), what.size()),
                   ": ", std::strerror(errno)));
}

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

int MakeSocket() {
  return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

// Removes what an ended process left; a connection to it is refused.
absl::Status RemoveStale(const std::string& path) {
  struct stat info = {};
  if (::lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::OkStatus()
                           : Errno(path, "cannot look at it");
  }
  if (!S_ISSOCK(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, " is not a socket; move it away or choose another directory"));
  }
  const int probe = MakeSocket();
  if (probe < 0) return Errno(path, "cannot make a socket");
  const absl::Cleanup close_probe = [probe] { ::close(probe); };
  const sockaddr_un address = AddressOf(path);
  if (::connect(probe, reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)) == 0 ||
      errno != ECONNREFUSED) {
    return absl::FailedPreconditionError(absl::StrCat(
        path,
        " is in use by a running process; stop it, or choose another "
        "directory"));
  }
  if (::unlink(path.c_str()) != 0) return Errno(path, "cannot remove it");
  return absl::OkStatus();
}

std::optional<PeerCredentials> CredentialsOf(int fd) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return std::nullopt;
  }
  PeerCredentials result{peer.pid, peer.uid, peer.gid, {}};
  // The first call tells how many there are.
  size = 0;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, nullptr, &size) != 0 &&
      errno == ERANGE) {
    result.groups.resize(size / sizeof(gid_t));
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, result.groups.data(),
                     &size) != 0) {
      result.groups.clear();
    }
    result.groups.resize(std::min(result.groups.size(), size / sizeof(gid_t)));
  }
  return result;
}

}  // namespace

bool PeerCredentials::InGroup(gid_t group) const {
  return gid == group ||
         std::find(groups.begin(), groups.end(), group) != groups.end();
}

absl::StatusOr<std::unique_ptr<UnixListener>> UnixListener::Bind(
    Options options) {
  const std::string& path = options.path;
  const sockaddr_un address = AddressOf(path);
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " is no path for a Unix socket; choose one of at most ",
        sizeof(address.sun_path) - 1, " characters"));
  }
  absl::Status status = RemoveStale(path);
  if (!status.ok()) return status;
  const int fd = MakeSocket();
  if (fd < 0) return Errno(path, "cannot make a socket");
  const int wake_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  // Until listen() every connection is refused: mode and group are there
  // before anybody can get in.
  auto listener = std::unique_ptr<UnixListener>(
      new UnixListener(std::move(options), fd, wake_fd));
  const Options& bound = listener->options_;
  if (wake_fd < 0) return Errno(bound.path, "cannot make an event");
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address),
             sizeof(address)) != 0) {
    return Errno(bound.path, "cannot bind");
  }
  if (bound.group.has_value() &&
      ::lchown(bound.path.c_str(), static_cast<uid_t>(-1), *bound.group) != 0) {
    return absl::PermissionDeniedError(absl::StrCat(
        bound.path, ": cannot give it to group ", *bound.group, ": ",
        std::strerror(errno), "; add this user to the group"));
  }
  if (::chmod(bound.path.c_str(), bound.mode) != 0) {
    return Errno(bound.path, "cannot set its mode");
  }
  return listener;
}

UnixListener::UnixListener(Options options, int fd, int wake_fd)
    : options_(std::move(options)), fd_(fd), wake_fd_(wake_fd) {}

UnixListener::~UnixListener() { Stop(); }

absl::Status UnixListener::Start(
    grpc::experimental::ExternalConnectionAcceptor* acceptor) {
  acceptor_ = acceptor;
  if (::listen(fd_, kBacklog) != 0) {
    return Errno(options_.path, "cannot listen");
  }
  thread_ = std::thread([this] { Accept(); });
  return absl::OkStatus();
}

void UnixListener::Stop() {
  if (fd_ < 0) return;
  if (thread_.joinable()) {
    const uint64_t one = 1;
    while (::write(wake_fd_, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
    thread_.join();
  }
  // Only our own: between the two steps nobody else can have bound the path,
  // for a socket that listens is not taken over.
  sockaddr_un bound = {};
  socklen_t size = sizeof(bound);
  if (::getsockname(fd_, reinterpret_cast<sockaddr*>(&bound), &size) == 0 &&
      size > sizeof(sa_family_t)) {
    ::unlink(options_.path.c_str());
  }
  ::close(std::exchange(fd_, -1));
  if (wake_fd_ >= 0) ::close(std::exchange(wake_fd_, -1));
}

void UnixListener::Accept() {
  pollfd polled[] = {{wake_fd_, POLLIN, 0}, {fd_, POLLIN, 0}};
  while (true) {
    if (::poll(polled, 2, -1) < 0 && errno != EINTR) return;
    if (polled[0].revents != 0) return;
    const int fd =
        ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      HandOver(fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
               errno == ENOMEM) {
      // What waits keeps the socket readable: do not spin.
      ::poll(polled, 1, kExhaustedPauseMs);
    }
  }
}

void UnixListener::HandOver(int fd) {
  const std::optional<PeerCredentials> peer = CredentialsOf(fd);
  if (!peer.has_value() || !options_.allow(*peer)) {
    ::close(fd);
    return;
  }
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
      connection;
  connection.listener_fd = fd_;
  connection.fd = fd;
  acceptor_->HandleNewConnection(&connection);
}

}  // namespace mc
