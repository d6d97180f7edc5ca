#include "common/tls/presented_chain.h"

#include <fcntl.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/crypto/openssl.h"

namespace mc {
namespace {

using SslContext = openssl::Owner<SSL_CTX, SSL_CTX_free>;
using Ssl = openssl::Owner<SSL, SSL_free>;
using Addresses = openssl::Owner<addrinfo, freeaddrinfo>;

absl::Status Failed(const std::string& address, absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(address, ": ", what));
}

// Whether the socket is ready for `events` before the time since boot.
bool Await(int fd, short events, absl::Duration until, const Clock& clock) {
  while (true) {
    const absl::Duration left = until - clock.SinceBoot();
    if (left <= absl::ZeroDuration()) return false;
    pollfd waiting = {.fd = fd, .events = events, .revents = 0};
    const int ready = poll(
        &waiting, 1, static_cast<int>(absl::ToInt64Milliseconds(left) + 1));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

// A connected socket, or what errno says.
absl::StatusOr<int> Connect(const addrinfo& to, absl::Duration until,
                            const Clock& clock) {
  const int fd =
      socket(to.ai_family, to.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
             to.ai_protocol);
  if (fd < 0) return absl::ErrnoToStatus(errno, "no socket");
  absl::Cleanup closer = [fd] { close(fd); };
  if (connect(fd, to.ai_addr, to.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return absl::ErrnoToStatus(errno, "refused");
    if (!Await(fd, POLLOUT, until, clock)) {
      return absl::UnavailableError("no answer in time");
    }
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return absl::ErrnoToStatus(error, "not connected");
  }
  std::move(closer).Cancel();
  return fd;
}

absl::StatusOr<int> ConnectTo(const std::string& address, absl::Duration until,
                              const Clock& clock) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return Failed(address, "it is no host:port");
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int resolved =
      getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found);
  if (resolved != 0) return Failed(address, gai_strerror(resolved));
  const Addresses addresses(found);
  absl::Status last;
  for (const addrinfo* next = found; next != nullptr; next = next->ai_next) {
    const absl::StatusOr<int> fd = Connect(*next, until, clock);
    if (fd.ok()) return fd;
    last = fd.status();
  }
  return Failed(address, last.message());
}

}  // namespace

absl::StatusOr<std::vector<std::string>> PresentedChain(
    const std::string& address, const std::string& server_name,
    absl::Duration timeout, const Clock& clock) {
  const absl::Duration until = clock.SinceBoot() + timeout;
  const absl::StatusOr<int> fd = ConnectTo(address, until, clock);
  if (!fd.ok()) return fd.status();
  const absl::Cleanup closer = [&fd] { close(*fd); };
  const SslContext context(SSL_CTX_new(TLS_client_method()));
  openssl::Must(context != nullptr);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  // The caller judges what was presented.
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  const Ssl ssl(SSL_new(context.get()));
  openssl::Must(ssl != nullptr && SSL_set_fd(ssl.get(), *fd) == 1);
  openssl::Must(SSL_set_tlsext_host_name(ssl.get(), server_name.c_str()) == 1);
  while (true) {
    const int done = SSL_connect(ssl.get());
    if (done == 1) break;
    const int wants = SSL_get_error(ssl.get(), done);
    ERR_clear_error();
    if (wants != SSL_ERROR_WANT_READ && wants != SSL_ERROR_WANT_WRITE) {
      return Failed(address, "no TLS server answers there");
    }
    if (!Await(*fd, wants == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until,
               clock)) {
      return Failed(address, "the TLS handshake took too long");
    }
  }
  std::vector<std::string> chain;
  STACK_OF(X509)* const presented = SSL_get_peer_cert_chain(ssl.get());
  for (int i = 0; i < sk_X509_num(presented); ++i) {
    chain.push_back(openssl::ToDer<i2d_X509>(sk_X509_value(presented, i)));
  }
  return chain;
}

}  // namespace mc
