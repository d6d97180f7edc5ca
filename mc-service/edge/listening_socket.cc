#include "mc-service/edge/listening_socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace mc::service {
namespace {

absl::Status Errno(const char* what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

bool IsEveryAddress(const addrinfo& found) {
  if (found.ai_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, found.ai_addr, sizeof(v4));
    return v4.sin_addr.s_addr == INADDR_ANY;
  }
  if (found.ai_family != AF_INET6) return false;
  sockaddr_in6 v6;
  std::memcpy(&v6, found.ai_addr, sizeof(v6));
  return IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr);
}

// In both forms the port is at the same place.
static_assert(offsetof(sockaddr_in, sin_port) ==
              offsetof(sockaddr_in6, sin6_port));

int PortOf(const sockaddr_storage& address) {
  in_port_t port;
  std::memcpy(
      &port,
      reinterpret_cast<const char*>(&address) + offsetof(sockaddr_in, sin_port),
      sizeof(port));
  return ntohs(port);
}

void SetPort(int port, sockaddr_storage& address) {
  const in_port_t value = htons(static_cast<uint16_t>(port));
  std::memcpy(
      reinterpret_cast<char*>(&address) + offsetof(sockaddr_in, sin_port),
      &value, sizeof(value));
}

absl::StatusOr<int> BindOne(sockaddr_storage address, socklen_t size,
                            int port) {
  SetPort(port, address);
  const int fd = ::socket(address.ss_family,
                          SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Errno("cannot make a socket");
  const int yes = 1;
  const int no = 0;
  // A service that starts again finds its old connections' ends in the way
  // otherwise.
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (address.ss_family == AF_INET6) {
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
  }
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    const absl::Status status = Errno("cannot bind");
    ::close(fd);
    return status;
  }
  return fd;
}

int OpenReserve() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

bool IsExhausted(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS ||
         error == ENOMEM;
}

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

absl::StatusOr<AddressList> Resolve(const std::string& host) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), "0", &hints, &found);
  if (error != 0) {
    return absl::UnavailableError(
        absl::StrCat("no address of ", host, ": ", ::gai_strerror(error)));
  }
  return AddressList(found, ::freeaddrinfo);
}

}  // namespace

absl::StatusOr<ListeningSockets> ListeningSockets::Bind(const std::string& host,
                                                        int port) {
  const absl::StatusOr<AddressList> addresses = Resolve(host);
  if (!addresses.ok()) return addresses.status();
  ListeningSockets result;
  result.port_ = port;
  absl::Status status = absl::UnavailableError("no address");
  const auto bind = [&](const sockaddr_storage& address, socklen_t size) {
    const absl::StatusOr<int> fd = BindOne(address, size, result.port_);
    if (!fd.ok()) {
      status = fd.status();
      return false;
    }
    sockaddr_storage bound = {};
    socklen_t bound_size = sizeof(bound);
    ::getsockname(*fd, reinterpret_cast<sockaddr*>(&bound), &bound_size);
    result.descriptors_.push_back(*fd);
    result.port_ = PortOf(bound);
    return true;
  };
  for (const addrinfo* each = addresses->get(); each != nullptr;
       each = each->ai_next) {
    sockaddr_storage address = {};
    if (IsEveryAddress(*each)) {
      sockaddr_in6 both = {};
      both.sin6_family = AF_INET6;
      std::memcpy(&address, &both, sizeof(both));
      if (bind(address, sizeof(both))) return result;
      address = {};
    }
    std::memcpy(&address, each->ai_addr, each->ai_addrlen);
    bind(address, each->ai_addrlen);
  }
  if (result.descriptors_.empty()) return status;
  return result;
}

ListeningSockets::ListeningSockets(ListeningSockets&& other) noexcept
    : descriptors_(std::exchange(other.descriptors_, {})),
      port_(other.port_),
      reserve_fd_(std::exchange(other.reserve_fd_, -1)) {}

ListeningSockets::ListeningSockets() : reserve_fd_(OpenReserve()) {}

ListeningSockets::~ListeningSockets() {
  Close();
  if (reserve_fd_ >= 0) ::close(reserve_fd_);
}

absl::Status ListeningSockets::Listen() {
  for (const int fd : descriptors_) {
    if (::listen(fd, SOMAXCONN) != 0) return Errno("cannot listen");
  }
  return absl::OkStatus();
}

absl::StatusOr<ListeningSockets::Newcomer> ListeningSockets::Accept(
    int fd) const {
  sockaddr_storage address = {};
  socklen_t size = sizeof(address);
  const int accepted = ::accept4(fd, reinterpret_cast<sockaddr*>(&address),
                                 &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (accepted < 0) {
    return IsExhausted(errno) ? absl::ResourceExhaustedError("")
                              : absl::NotFoundError("");
  }
  const std::optional<Endpoint> peer = Endpoint::Of(address);
  if (!peer.has_value()) {
    ::close(accepted);
    return absl::NotFoundError("");
  }
  return Newcomer{accepted, *peer};
}

std::optional<Endpoint> ListeningSockets::TurnAway(int fd) {
  if (reserve_fd_ >= 0) ::close(reserve_fd_);
  const absl::StatusOr<Newcomer> newcomer = Accept(fd);
  if (newcomer.ok()) ::close(newcomer->fd);
  reserve_fd_ = OpenReserve();
  if (!newcomer.ok()) return std::nullopt;
  return newcomer->peer;
}

void ListeningSockets::Close() {
  for (const int fd : std::exchange(descriptors_, {})) ::close(fd);
}

}  // namespace mc::service
