// The accept loop in front of gRPC: who gets in, and who is put out.
#ifndef MC_SERVICE_EDGE_ACCEPTOR_H_
#define MC_SERVICE_EDGE_ACCEPTOR_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/time/clock.h"
#include "mc-service/edge/address.h"
#include "mc-service/edge/connection_ends.h"
#include "mc-service/edge/connection_meter.h"
#include "mc-service/edge/first_bytes.h"
#include "mc-service/edge/handed_connections.h"
#include "mc-service/edge/handshake_queue.h"
#include "mc-service/edge/lent_socket.h"
#include "mc-service/edge/listening_socket.h"
#include "mc-service/edge/loop_mailbox.h"
#include "mc-service/edge/recent_sites.h"

namespace mc::service {

// What its clients have to pass before gRPC sees them: caps, the PROXY header
// of balancers, a whole TLS ClientHello, and the queue of handshakes. Then it
// hands the non-blocking descriptor over, watches the connection all the same,
// and can cut it (lent_socket.h).
//
// It knows nothing of the service. To use it with any gRPC server:
//
//   auto acceptor = Acceptor::Bind(options);          // nobody gets in yet
//   auto external = builder.experimental().AddExternalConnectionAcceptor(
//       ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
//       credentials);
//   auto server = builder.BuildAndStart();
//   (*acceptor)->Start([external](int listening_fd, int fd) { ... });
//   ...
//   (*acceptor)->StopAccepting();                     // before the shutdown:
//   server->Shutdown(deadline);                       // gRPC leaks later ones
//
// ListenerServer does that. Thread-safe.
class Acceptor {
 public:
  struct Limits {
    size_t max_connections = 20'000;
    int max_connections_per_site = 2'000;
    double handshakes_per_second = 1'000;
    int max_handshakes = 64;
    // From the accept to the end of the handshake.
    absl::Duration handshake_timeout = absl::Seconds(10);
    ConnectionMeter::Limits traffic = {32 << 20, absl::Seconds(60)};
  };

  struct Figures {
    size_t connections = 0;
    size_t handshakes_waiting = 0;
    size_t handshakes_under_way = 0;
    uint64_t handshakes = 0;
    EndCounts ended = {};
  };

  struct Options {
    // For logs.
    std::string name;
    std::string host;
    int port = 0;
    // Whose connections begin with a PROXY header.
    std::vector<Network> proxies;
    Limits limits;
    const Clock* clock = nullptr;
  };

  // gRPC's HandleNewConnection: takes `fd` over.
  using HandOver = std::function<void(int listening_fd, int fd)>;

  // UNAVAILABLE when the address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Bind(Options options);
  // StopAccepting(), and forgets the open connections.
  ~Acceptor();

  int port() const { return port_; }

  // Accepts from now on, on a thread of its own. UNAVAILABLE as Bind(). May be
  // called once.
  absl::Status Start(HandOver hand_over);

  // Nobody is handed over any more when this returns; who was not yet is
  // refused. Open connections are still watched.
  void StopAccepting();

  // Where a connection of this listener really comes from: what the balancer
  // said of it, else `peer` itself. Both as gRPC's context->peer() writes it.
  std::string RealPeer(std::string_view peer) const;

  // Ends the connection that context->peer() names; false where there is none.
  // `why` is logged.
  bool Cut(std::string_view peer, std::string_view why);

  Figures figures() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  enum class Stage { kProxyHeader, kClientHello, kQueued, kHandshake, kOpen };

  struct Connection {
    // gRPC's own once it is given.
    int fd = -1;
    std::optional<LentSocket> given;
    int listening_fd = -1;
    Stage stage = Stage::kClientHello;
    // Of the socket, and of the client.
    Endpoint peer;
    Endpoint real;
    // Its site is counted.
    bool counted = false;
    // WatchHandshake() tells the end of its handshake, and its own.
    bool watched = false;
    bool remembered = false;
    std::string proxy_header;
    // When it was handed over.
    uint64_t hello_bytes = 0;
    ConnectionMeter meter;
  };

  Acceptor(Options options, ListeningSockets sockets, int epoll_fd);

  // All below run on the loop's thread: the loop and who waits (acceptor.cc),
  void Run();
  int WaitMs(absl::Duration now) const;
  void Watch(int fd, uint32_t events, uint64_t id) const;
  void AcceptSome(int listening_fd, absl::Duration now);
  void SetListening(bool listening);
  // and the stages of a connection (acceptor_connections.cc).
  void Admit(int fd, int listening_fd, const Endpoint& peer,
             absl::Duration now);
  // Counts the connection for its site; false: too many.
  bool CountSite(Connection& connection);
  void OnEvent(uint64_t id, uint32_t events, absl::Duration now);
  void OnReadable(uint64_t id, Connection& connection, absl::Duration now);
  void BeginHandshakes(absl::Duration now);
  void Give(uint64_t id, Connection& connection, absl::Duration now);
  void OnHandshakeOver(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  void ExpireYoung(absl::Duration now);
  void SweepSome(absl::Duration now);
  void Judge(uint64_t id, Connection& connection, absl::Duration now);
  void DropUngiven();
  // Ends it for `reason`, or forgets it because it is over.
  void End(uint64_t id, EndReason reason);
  // Nothing where it is forgotten already.
  void Drop(uint64_t id);

  const Options options_;
  ListeningSockets sockets_;
  const int port_;
  const int epoll_fd_;
  // gRPC's threads may have it for longer.
  const std::shared_ptr<LoopMailbox> mailbox_;
  HandOver hand_over_;
  std::atomic<bool> accepting_{true};
  std::atomic<bool> stopping_{false};
  absl::Notification stopped_accepting_;

  // Of the loop. IDs ascend.
  std::map<uint64_t, Connection> connections_;
  uint64_t next_id_;
  // That have not sent their ClientHello.
  std::set<uint64_t> silent_;
  // Without those that gRPC was given.
  size_t given_ = 0;
  std::map<IpAddress, int> per_site_;
  // When each was accepted, until its handshake must be over.
  std::deque<std::pair<absl::Duration, uint64_t>> young_;
  HandshakeQueue queue_;
  RecentSites recent_;
  absl::Duration paused_until_ = -absl::InfiniteDuration();
  bool listening_ = true;
  uint64_t swept_ = 0;
  absl::Duration sweep_at_ = -absl::InfiniteDuration();

  mutable absl::Mutex mutex_;
  // But for how connections ended.
  Figures figures_ ABSL_GUARDED_BY(mutex_);
  HandedConnections handed_;
  ConnectionEnds ends_;

  std::thread thread_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_ACCEPTOR_H_
