// A TCP connection that somebody else closes.
#ifndef MC_SERVICE_EDGE_LENT_SOCKET_H_
#define MC_SERVICE_EDGE_LENT_SOCKET_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "mc-service/edge/connection_meter.h"

namespace mc::service {

// Knows a socket by its number and by its cookie: the number is another one's
// as soon as the owner has closed it, and the kernel gives no cookie twice. A
// duplicate would be safe as well, and would cost a second descriptor for each
// connection. Thread-safe.
class LentSocket {
 public:
  // Of an open socket. Absent: the kernel has no cookies (Linux before 4.12),
  // or it is no socket.
  static std::optional<LentSocket> Of(int fd);

  // Absent: the connection is over, or its owner has closed it.
  std::optional<TrafficSample> Traffic(absl::Duration now) const;

  // Ends the connection; its owner finds it ended, and closes it. Where the
  // owner closes it at this very moment and the number is a new connection's,
  // it is that one that ends: its client comes again.
  void Shutdown() const;

 private:
  LentSocket(int fd, uint64_t cookie) : fd_(fd), cookie_(cookie) {}

  // While this holds the number has been this socket's ever since Of().
  bool IsStillThere() const;

  int fd_;
  uint64_t cookie_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_LENT_SOCKET_H_
