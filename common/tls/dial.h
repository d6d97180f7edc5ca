// TCP connections that are looked at while they are made: names, routes and
// HTTP proxies, each within a deadline. No gRPC.
#ifndef COMMON_TLS_DIAL_H_
#define COMMON_TLS_DIAL_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/time/clock.h"

namespace mc {

// A moment of CLOCK_BOOTTIME until which something may take.
class Deadline {
 public:
  // `clock` outlives it.
  Deadline(const Clock& clock, absl::Duration timeout)
      : clock_(&clock), end_(clock.SinceBoot() + timeout) {}

  // Zero when it has passed.
  absl::Duration Left() const;
  const Clock& clock() const { return *clock_; }

 private:
  const Clock* clock_;
  absl::Duration end_;
};

// A non-blocking socket, closed at the end.
class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket();

  bool open() const { return fd_ >= 0; }
  int get() const { return fd_; }

  // 0, or an errno; ETIMEDOUT where the deadline passed. A broken connection
  // raises no signal.
  int Send(std::string_view bytes, const Deadline& deadline) const;
  // Appends what is there, at most a few kilobytes; waits for the first byte.
  // The other side's end leaves `bytes` as they are.
  int Receive(std::string& bytes, const Deadline& deadline) const;

 private:
  int fd_;
};

// One address of a name, and what became of it.
struct DialedAddress {
  // Numeric, without a port.
  std::string address;
  // This machine's own address for it; empty: there is no route.
  std::string source;
  bool tried = false;
  // How the connection ended: an errno, ETIMEDOUT where nothing answered. 0:
  // it stands, or it was not tried.
  int error = 0;
};

// The addresses of a name, or of an address itself, in the system's order,
// with their routes. The name server's answer is awaited until the deadline:
// DEADLINE_EXCEEDED, else NOT_FOUND or UNAVAILABLE with the resolver's words.
absl::StatusOr<std::vector<DialedAddress>> Resolve(const std::string& host,
                                                   const Deadline& deadline);

// Tries one after the other; each has an equal share of the time that is left.
// Not open where none answers.
Socket Dial(std::vector<DialedAddress>& addresses, int port,
            const Deadline& deadline);

struct HttpProxy {
  std::string host;
  int port = 0;
  // For Basic authentication; empty: none. The password is a secret.
  std::string user_name;
  std::string password;
};

// What a proxy said to CONNECT. What is text came from it: printable ASCII, of
// a bounded length.
struct ProxyAnswer {
  // Of HTTP; 0: what came was no HTTP.
  int status = 0;
  std::string reason;
  // The schemes of Proxy-Authenticate, as it wrote them; the first few.
  std::vector<std::string> schemes;
  // RFC 9110, 5.6.7; infinite past where it gave none.
  absl::Time date = absl::InfinitePast();
  // 0, or the errno that ended the conversation.
  int error = 0;
};

// Asks the proxy at the other end for a tunnel to host:port.
ProxyAnswer Connect(const Socket& socket, const HttpProxy& proxy,
                    const std::string& host, int port,
                    const Deadline& deadline);

// "host:port", with brackets around an IPv6 address; and its parts, without
// the brackets. INVALID_ARGUMENT for what has no port.
std::string HostPort(const std::string& host, int port);
absl::StatusOr<std::pair<std::string, int>> SplitHostPort(
    const std::string& address);

// Whether it is an IPv4 or IPv6 address in numbers.
bool IsNumericAddress(const std::string& host);

}  // namespace mc

#endif  // COMMON_TLS_DIAL_H_
