// The stages of an acceptor's connections, from the accept to their end.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "mc-service/edge/acceptor.h"
#include "mc-service/edge/handshake_watch.h"
#include "mc-service/edge/proxy_header.h"

namespace mc::service {
namespace {

// Each open connection is looked at this often, some of them at each step.
constexpr absl::Duration kSweepStep = absl::Milliseconds(100);
constexpr size_t kStepsOfSweep = 20;

void SetSocketOptions(int fd, const Acceptor::Limits& limits) {
  // As gRPC's own listener does.
  const int yes = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  // The kernel gives up later than we do, who say why.
  const auto timeout = static_cast<unsigned>(
      absl::ToInt64Milliseconds(2 * limits.traffic.slow_reader_timeout));
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
}

}  // namespace

void Acceptor::Admit(int fd, int listening_fd, const Endpoint& peer,
                     absl::Duration now) {
  const bool proxied = std::any_of(
      options_.proxies.begin(), options_.proxies.end(),
      [&](const Network& each) { return each.Contains(peer.address); });
  if (connections_.size() >= options_.limits.max_connections) {
    // One that has said nothing so far gives way.
    if (!silent_.empty()) {
      End(*silent_.begin(), EndReason::kSilent);
    } else {
      ends_.Count(EndReason::kConnections, peer.GrpcPeer());
      ::close(fd);
      return;
    }
  }
  const uint64_t id = next_id_++;
  Connection& connection = connections_[id];
  connection.fd = fd;
  connection.listening_fd = listening_fd;
  connection.stage = proxied ? Stage::kProxyHeader : Stage::kClientHello;
  connection.peer = peer;
  connection.real = peer;
  if (!proxied && !CountSite(connection)) {
    return End(id, EndReason::kSiteConnections);
  }
  silent_.insert(id);
  young_.emplace_back(now, id);
  SetSocketOptions(fd, options_.limits);
  Watch(fd, EPOLLIN | EPOLLRDHUP | EPOLLET, id);
}

bool Acceptor::CountSite(Connection& connection) {
  int& count = per_site_[connection.real.address.Site()];
  if (count >= options_.limits.max_connections_per_site) return false;
  ++count;
  connection.counted = true;
  return true;
}

void Acceptor::OnEvent(uint64_t id, uint32_t events, absl::Duration now) {
  const auto it = connections_.find(id);
  if (it == connections_.end() || it->second.given.has_value()) return;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    Drop(id);
  } else {
    OnReadable(id, it->second, now);
  }
}

void Acceptor::OnReadable(uint64_t id, Connection& connection,
                          absl::Duration now) {
  if (connection.stage == Stage::kProxyHeader) {
    const FirstBytes header =
        ReadProxyHeader(connection.fd, connection.proxy_header);
    if (header == FirstBytes::kClosed) return Drop(id);
    if (header == FirstBytes::kIncomplete) return;
    const auto client = ParseProxyHeader(connection.proxy_header);
    if (!client.ok()) return End(id, EndReason::kProxyHeader);
    connection.real = client->value_or(connection.peer);
    connection.proxy_header = std::string();
    if (!CountSite(connection)) return End(id, EndReason::kSiteConnections);
    connection.stage = Stage::kClientHello;
  }
  if (connection.stage != Stage::kClientHello) return;
  const FirstBytes hello = LookForClientHello(connection.fd);
  if (hello == FirstBytes::kClosed) return Drop(id);
  if (hello == FirstBytes::kWrong) return End(id, EndReason::kNotTls);
  if (hello == FirstBytes::kIncomplete) return;
  connection.stage = Stage::kQueued;
  silent_.erase(id);
  const IpAddress site = connection.real.address.Site();
  const std::optional<uint64_t> victim =
      queue_.Push(id, site, recent_.Has(site, now));
  if (victim.has_value()) End(*victim, EndReason::kHandshakeQueue);
}

void Acceptor::BeginHandshakes(absl::Duration now) {
  while (const std::optional<uint64_t> id = queue_.Pop(now)) {
    Give(*id, connections_.at(*id), now);
  }
}

void Acceptor::Give(uint64_t id, Connection& connection, absl::Duration now) {
  connection.given = LentSocket::Of(connection.fd);
  const auto traffic = connection.given.has_value()
                           ? connection.given->Traffic(now)
                           : std::nullopt;
  if (!traffic.has_value()) {
    connection.given.reset();
    return Drop(id);
  }
  connection.hello_bytes = traffic->received;
  ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, connection.fd, nullptr);
  connection.stage = Stage::kHandshake;
  ++given_;
  handed_.Add(id, *connection.given, connection.peer, connection.real);
  connection.watched = WatchHandshake(
      [&] { hand_over_(connection.listening_fd, connection.fd); },
      [mailbox = mailbox_, id] { mailbox->HandshakeOver(id); },
      [mailbox = mailbox_, id] { mailbox->ConnectionOver(id); });
}

void Acceptor::OnHandshakeOver(uint64_t id) {
  const auto it = connections_.find(id);
  if (it == connections_.end() || it->second.stage != Stage::kHandshake) return;
  it->second.stage = Stage::kOpen;
  queue_.Remove(id);
  absl::MutexLock lock(&mutex_);
  ++figures_.handshakes;
}

void Acceptor::ExpireYoung(absl::Duration now) {
  while (!young_.empty()) {
    const auto [accepted, id] = young_.front();
    const auto it = connections_.find(id);
    if (it != connections_.end() && it->second.stage != Stage::kOpen) {
      if (now < accepted + options_.limits.handshake_timeout) return;
      switch (it->second.stage) {
        case Stage::kQueued:
          End(id, EndReason::kHandshakeQueue);
          break;
        case Stage::kHandshake:
          End(id, EndReason::kHandshakeTimeout);
          break;
        default:
          End(id, EndReason::kSilent);
      }
    }
    young_.pop_front();
  }
}

void Acceptor::SweepSome(absl::Duration now) {
  if (given_ == 0 || now < sweep_at_) return;
  sweep_at_ = now + kSweepStep;
  size_t left = connections_.size() / kStepsOfSweep + 1;
  auto it = connections_.upper_bound(swept_);
  for (; it != connections_.end() && left > 0; --left) {
    const uint64_t id = it->first;
    Connection& connection = it->second;
    ++it;
    swept_ = id;
    if (connection.given.has_value()) Judge(id, connection, now);
  }
  if (it == connections_.end()) swept_ = 0;
}

void Acceptor::Judge(uint64_t id, Connection& connection, absl::Duration now) {
  const std::optional<TrafficSample> traffic = connection.given->Traffic(now);
  if (!traffic.has_value()) return Drop(id);
  if (connection.stage == Stage::kHandshake) {
    // Without HandshakeWatch: the client has answered what it was answered.
    if (!connection.watched && traffic->confirmed > 1 &&
        traffic->received > connection.hello_bytes) {
      OnHandshakeOver(id);
    }
    return;
  }
  if (!std::exchange(connection.remembered, true)) {
    recent_.Add(connection.real.address.Site(), now);
  }
  switch (connection.meter.Observe(*traffic, options_.limits.traffic)) {
    case ConnectionMeter::Verdict::kFine:
      return;
    case ConnectionMeter::Verdict::kTooMuch:
      return End(id, EndReason::kTooMuch);
    case ConnectionMeter::Verdict::kSlowReader:
      return End(id, EndReason::kSlowReader);
  }
}

void Acceptor::DropUngiven() {
  sockets_.Close();
  listening_ = true;
  for (auto it = connections_.begin(); it != connections_.end();) {
    const uint64_t id = it->first;
    const bool given = it->second.given.has_value();
    ++it;
    if (!given) Drop(id);
  }
}

void Acceptor::End(uint64_t id, EndReason reason) {
  const Connection& connection = connections_.at(id);
  ends_.Count(reason, connection.real.GrpcPeer());
  // gRPC finds it ended.
  if (connection.given.has_value()) connection.given->Shutdown();
  Drop(id);
}

void Acceptor::Drop(uint64_t id) {
  const auto it = connections_.find(id);
  if (it == connections_.end()) return;
  const Connection& connection = it->second;
  if (connection.counted) {
    const auto site = per_site_.find(connection.real.address.Site());
    if (--site->second == 0) per_site_.erase(site);
  }
  silent_.erase(id);
  queue_.Remove(id);
  if (connection.given.has_value()) {
    --given_;
    handed_.Remove(id, connection.peer);
  } else {
    ::close(connection.fd);
  }
  connections_.erase(it);
}

}  // namespace mc::service
