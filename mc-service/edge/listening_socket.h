// The sockets that a listener's address stands for.
#ifndef MC_SERVICE_EDGE_LISTENING_SOCKET_H_
#define MC_SERVICE_EDGE_LISTENING_SOCKET_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mc::service {

// Bound; nobody can connect before Listen(). Closes them at its end.
class ListeningSockets {
 public:
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
  // Refuses who comes from now on.
  void Close();

  // Non-blocking.
  const std::vector<int>& descriptors() const { return descriptors_; }
  int port() const { return port_; }

 private:
  ListeningSockets() = default;

  std::vector<int> descriptors_;
  int port_ = 0;
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_LISTENING_SOCKET_H_
