// The sockets that a listener's address stands for.
#ifndef MC_SERVICE_EDGE_LISTENING_SOCKET_H_
#define MC_SERVICE_EDGE_LISTENING_SOCKET_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "mc-service/edge/address.h"

namespace mc::service {

// Bound; nobody can connect before Listen(). Closes them at its end. One more
// descriptor is held back for TurnAway(). Not thread-safe.
class ListeningSockets {
 public:
  struct Newcomer {
    // Non-blocking; the caller's.
    int fd = -1;
    Endpoint peer;
  };

  // Of all addresses of `host`; 0.0.0.0 and [::] are both every address of the
  // machine, of IPv4 and IPv6. Port 0: a free one, the same of all. A port
  // that another program has is an error, whatever that program allows.
  // UNAVAILABLE where there is no address to listen on.
  static absl::StatusOr<ListeningSockets> Bind(const std::string& host,
                                               int port);

  ListeningSockets(ListeningSockets&& other) noexcept;
  ListeningSockets& operator=(ListeningSockets&& other) = delete;
  ~ListeningSockets();

  absl::Status Listen();
  // The next that waits at one of descriptors(). NOT_FOUND: nobody does, or no
  // longer. RESOURCE_EXHAUSTED: there is no descriptor.
  absl::StatusOr<Newcomer> Accept(int fd) const;
  // Without a descriptor: ends the connection of the next that waits. Absent:
  // nobody does, or the one held back is lost, too.
  std::optional<Endpoint> TurnAway(int fd);
  // Refuses who comes from now on.
  void Close();

  // Non-blocking.
  const std::vector<int>& descriptors() const { return descriptors_; }
  int port() const { return port_; }

 private:
  ListeningSockets();

  std::vector<int> descriptors_;
  int port_ = 0;
  int reserve_fd_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_LISTENING_SOCKET_H_
