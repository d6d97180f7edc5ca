#include "mc-service/edge/acceptor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <optional>

#include "common/log/log.h"
#include "mc-service/edge/handshake_watch.h"
#include "mc-service/edge/proxy_header.h"

namespace mc::service {
namespace {

constexpr int kEventsAtOnce = 256;
constexpr int kAcceptsAtOnce = 64;
// What epoll gives back for the mailbox; listening sockets have their index
// behind it, and connections what comes behind these.
constexpr uint64_t kMailbox = 0;
constexpr uint64_t kFirstSocket = 1;

// Which of what waits is readable all the time when there are no descriptors.
constexpr absl::Duration kExhaustedPause = absl::Milliseconds(100);
// Each open connection is looked at this often, some of them at each step.
constexpr absl::Duration kSweepStep = absl::Milliseconds(100);
constexpr size_t kStepsOfSweep = 20;
constexpr absl::Duration kReportInterval = absl::Seconds(10);

int OpenReserve() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

bool IsExhausted(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS ||
         error == ENOMEM;
}

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

std::string_view Acceptor::ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kConnections:
      return "max_connections";
    case Reason::kSiteConnections:
      return "max_connections_per_address";
    case Reason::kDescriptors:
      return "no_descriptors";
    case Reason::kProxyHeader:
      return "proxy_header";
    case Reason::kNotTls:
      return "not_tls";
    case Reason::kSilent:
      return "silent";
    case Reason::kHandshakeQueue:
      return "handshake_queue_full";
    case Reason::kHandshakeTimeout:
      return "handshake_timeout";
    case Reason::kTooMuch:
      return "max_bytes_per_second";
    case Reason::kSlowReader:
      return "slow_reader";
    case Reason::kOffender:
      return "offender";
  }
  return "unknown";
}

Acceptor::Mailbox::~Mailbox() { ::close(wake_fd); }

void Acceptor::Mailbox::Wake() const {
  const uint64_t one = 1;
  while (::write(wake_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
  }
}

void Acceptor::Mailbox::Finished(uint64_t id) {
  {
    absl::MutexLock lock(&mutex);
    finished.push_back(id);
    if (finished.size() > 1) return;
  }
  Wake();
}

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Bind(Options options) {
  absl::StatusOr<ListeningSockets> sockets =
      ListeningSockets::Bind(options.host, options.port);
  if (!sockets.ok()) return sockets.status();
  const int epoll_fd = ::epoll_create1(EPOLL_CLOEXEC);
  const int wake_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  auto acceptor = std::unique_ptr<Acceptor>(
      new Acceptor(std::move(options), *std::move(sockets), epoll_fd, wake_fd));
  if (epoll_fd < 0 || wake_fd < 0) {
    return absl::UnavailableError("no descriptors for the accept loop");
  }
  return acceptor;
}

Acceptor::Acceptor(Options options, ListeningSockets sockets, int epoll_fd,
                   int wake_fd)
    : options_(std::move(options)),
      sockets_(std::move(sockets)),
      port_(sockets_.port()),
      epoll_fd_(epoll_fd),
      mailbox_(std::make_shared<Mailbox>(wake_fd)),
      next_id_(kFirstSocket + sockets_.descriptors().size()),
      queue_({.per_second = options_.limits.handshakes_per_second,
              .max_under_way = options_.limits.max_handshakes,
              .max_waiting =
                  4 * static_cast<size_t>(options_.limits.max_handshakes)}),
      reserve_fd_(OpenReserve()) {}

Acceptor::~Acceptor() {
  StopAccepting();
  if (thread_.joinable()) {
    stopping_ = true;
    mailbox_->Wake();
    thread_.join();
  }
  while (!connections_.empty()) Drop(connections_.begin()->first);
  ::close(epoll_fd_);
  if (reserve_fd_ >= 0) ::close(reserve_fd_);
}

absl::Status Acceptor::Start(HandOver hand_over) {
  const absl::Status status = sockets_.Listen();
  if (!status.ok()) return status;
  hand_over_ = std::move(hand_over);
  Watch(mailbox_->wake_fd, EPOLLIN, kMailbox);
  for (size_t i = 0; i < sockets_.descriptors().size(); ++i) {
    Watch(sockets_.descriptors()[i], EPOLLIN, kFirstSocket + i);
  }
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void Acceptor::StopAccepting() {
  accepting_ = false;
  if (!thread_.joinable()) return sockets_.Close();
  mailbox_->Wake();
  stopped_accepting_.WaitForNotification();
}

std::string Acceptor::RealPeer(std::string_view peer) const {
  std::string name(peer);
  if (options_.proxies.empty()) return name;
  absl::MutexLock lock(&mutex_);
  const auto it = handed_.find(name);
  return it == handed_.end() || it->second.real_peer.empty()
             ? name
             : it->second.real_peer;
}

bool Acceptor::Cut(std::string_view peer, std::string_view why) {
  std::string real_peer(peer);
  {
    absl::MutexLock lock(&mutex_);
    const auto it = handed_.find(real_peer);
    if (it == handed_.end()) return false;
    // The loop sees the end of it, and forgets it.
    ::shutdown(it->second.fd, SHUT_RDWR);
    ++figures_.ended[static_cast<size_t>(Reason::kOffender)];
    if (!it->second.real_peer.empty()) real_peer = it->second.real_peer;
  }
  LogWarning(
      "a connection was cut",
      {{"listener", options_.name}, {"peer", real_peer}, {"reason", why}});
  return true;
}

Acceptor::Figures Acceptor::figures() const {
  absl::MutexLock lock(&mutex_);
  return figures_;
}

void Acceptor::Run() {
  epoll_event events[kEventsAtOnce];
  while (!stopping_) {
    const int count = ::epoll_wait(epoll_fd_, events, kEventsAtOnce,
                                   WaitMs(options_.clock->SinceBoot()));
    const absl::Duration now = options_.clock->SinceBoot();
    for (int i = 0; i < count; ++i) {
      const uint64_t id = events[i].data.u64;
      if (id == kMailbox) {
        uint64_t ignored;
        while (::read(mailbox_->wake_fd, &ignored, sizeof(ignored)) > 0) {
        }
      } else if (id - kFirstSocket < sockets_.descriptors().size()) {
        AcceptSome(sockets_.descriptors()[id - kFirstSocket], now);
      } else {
        OnEvent(id, events[i].events, now);
      }
    }
    if (!accepting_ && !stopped_accepting_.HasBeenNotified()) {
      DropUngiven();
      stopped_accepting_.Notify();
    }
    if (!listening_ && now >= paused_until_) SetListening(true);
    TakeFinished();
    ExpireYoung(now);
    BeginHandshakes(now);
    SweepSome(now);
    ReportRefusals(now);
    absl::MutexLock lock(&mutex_);
    figures_.connections = connections_.size();
    figures_.handshakes_waiting = queue_.waiting();
    figures_.handshakes_under_way = queue_.under_way();
  }
}

int Acceptor::WaitMs(absl::Duration now) const {
  absl::Duration until = queue_.NextAt(now);
  if (!young_.empty()) {
    until = std::min(until,
                     young_.front().first + options_.limits.handshake_timeout);
  }
  if (!listening_) until = std::min(until, paused_until_);
  if (given_ > 0) until = std::min(until, sweep_at_);
  const absl::Duration wait =
      std::min(until - now, options_.clock->LongestWait());
  if (wait == absl::InfiniteDuration()) return -1;
  return static_cast<int>(absl::ToInt64Milliseconds(
      std::clamp(absl::Ceil(wait, absl::Milliseconds(1)), absl::ZeroDuration(),
                 absl::Minutes(1))));
}

void Acceptor::Watch(int fd, uint32_t events, uint64_t id) const {
  epoll_event event = {};
  event.events = events;
  event.data.u64 = id;
  if (::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0 &&
      errno == EEXIST) {
    ::epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event);
  }
}

void Acceptor::AcceptSome(int listening_fd, absl::Duration now) {
  for (int i = 0; i < kAcceptsAtOnce && accepting_; ++i) {
    sockaddr_storage address = {};
    socklen_t size = sizeof(address);
    const int fd =
        ::accept4(listening_fd, reinterpret_cast<sockaddr*>(&address), &size,
                  SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (fd < 0 && IsExhausted(errno)) return OnExhausted(listening_fd, now);
    // Whoever it was has gone already.
    if (fd < 0) continue;
    const std::optional<Endpoint> peer = Endpoint::Of(address);
    if (peer.has_value()) {
      Admit(fd, listening_fd, *peer, now);
    } else {
      ::close(fd);
    }
  }
}

// The first that waits learns at once that it may not come in; then a pause,
// for what waits keeps the socket readable.
void Acceptor::OnExhausted(int listening_fd, absl::Duration now) {
  if (reserve_fd_ >= 0) ::close(reserve_fd_);
  sockaddr_storage address = {};
  socklen_t size = sizeof(address);
  const int fd = ::accept4(listening_fd, reinterpret_cast<sockaddr*>(&address),
                           &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) {
    Count(Reason::kDescriptors, Endpoint::Of(address).value_or(Endpoint()));
    ::close(fd);
  }
  reserve_fd_ = OpenReserve();
  paused_until_ = now + kExhaustedPause;
  SetListening(false);
}

void Acceptor::SetListening(bool listening) {
  listening_ = listening;
  for (size_t i = 0; i < sockets_.descriptors().size(); ++i) {
    Watch(sockets_.descriptors()[i], listening ? uint32_t{EPOLLIN} : 0U,
          kFirstSocket + i);
  }
}

void Acceptor::Admit(int fd, int listening_fd, const Endpoint& peer,
                     absl::Duration now) {
  const bool proxied = std::any_of(
      options_.proxies.begin(), options_.proxies.end(),
      [&](const Network& each) { return each.Contains(peer.address); });
  if (connections_.size() >= options_.limits.max_connections) {
    // One that has said nothing so far gives way.
    if (!silent_.empty()) {
      End(*silent_.begin(), Reason::kSilent);
    } else {
      Count(Reason::kConnections, peer);
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
    return End(id, Reason::kSiteConnections);
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
  if (it == connections_.end()) return;
  Connection& connection = it->second;
  if (connection.stage >= Stage::kHandshake) {
    if ((events & EPOLLHUP) != 0 || !ReadTraffic(connection.fd, now)) Drop(id);
  } else if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    Drop(id);
  } else {
    OnReadable(id, connection, now);
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
    if (!client.ok()) return End(id, Reason::kProxyHeader);
    connection.real = client->value_or(connection.peer);
    connection.proxy_header = std::string();
    if (!CountSite(connection)) return End(id, Reason::kSiteConnections);
    connection.stage = Stage::kClientHello;
  }
  if (connection.stage != Stage::kClientHello) return;
  const FirstBytes hello = LookForClientHello(connection.fd);
  if (hello == FirstBytes::kClosed) return Drop(id);
  if (hello == FirstBytes::kWrong) return End(id, Reason::kNotTls);
  if (hello == FirstBytes::kIncomplete) return;
  connection.stage = Stage::kQueued;
  silent_.erase(id);
  const IpAddress site = connection.real.address.Site();
  const std::optional<uint64_t> victim =
      queue_.Push(id, site, recent_.Has(site, now));
  if (victim.has_value()) End(*victim, Reason::kHandshakeQueue);
}

void Acceptor::BeginHandshakes(absl::Duration now) {
  while (const std::optional<uint64_t> id = queue_.Pop(now)) {
    Give(*id, connections_.at(*id), now);
  }
}

void Acceptor::Give(uint64_t id, Connection& connection, absl::Duration now) {
  const int given = ::fcntl(connection.fd, F_DUPFD_CLOEXEC, 0);
  if (given < 0) return End(id, Reason::kDescriptors);
  // From here on it tells only its end.
  Watch(connection.fd, EPOLLET, id);
  connection.stage = Stage::kHandshake;
  ++given_;
  const auto traffic = ReadTraffic(connection.fd, now);
  if (traffic.has_value()) connection.hello_bytes = traffic->received;
  {
    absl::MutexLock lock(&mutex_);
    handed_[connection.peer.GrpcPeer()] = {id, connection.fd,
                                           connection.real == connection.peer
                                               ? std::string()
                                               : connection.real.GrpcPeer()};
  }
  connection.watched =
      WatchHandshake([&] { hand_over_(connection.listening_fd, given); },
                     [mailbox = mailbox_, id] { mailbox->Finished(id); });
}

void Acceptor::TakeFinished() {
  std::vector<uint64_t> finished;
  {
    absl::MutexLock lock(&mailbox_->mutex);
    finished.swap(mailbox_->finished);
  }
  for (const uint64_t id : finished) OnHandshakeOver(id);
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
          End(id, Reason::kHandshakeQueue);
          break;
        case Stage::kHandshake:
          End(id, Reason::kHandshakeTimeout);
          break;
        default:
          End(id, Reason::kSilent);
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
    if (connection.stage >= Stage::kHandshake) Judge(id, connection, now);
  }
  if (it == connections_.end()) swept_ = 0;
}

bool Acceptor::Judge(uint64_t id, Connection& connection, absl::Duration now) {
  const std::optional<TrafficSample> traffic = ReadTraffic(connection.fd, now);
  if (!traffic.has_value()) {
    Drop(id);
    return false;
  }
  if (connection.stage == Stage::kHandshake) {
    // Without HandshakeWatch: the client has answered what it was answered.
    if (!connection.watched && traffic->confirmed > 1 &&
        traffic->received > connection.hello_bytes) {
      OnHandshakeOver(id);
    }
    return true;
  }
  if (!std::exchange(connection.remembered, true)) {
    recent_.Add(connection.real.address.Site(), now);
  }
  switch (connection.meter.Observe(*traffic, options_.limits.traffic)) {
    case ConnectionMeter::Verdict::kFine:
      return true;
    case ConnectionMeter::Verdict::kTooMuch:
      End(id, Reason::kTooMuch);
      return false;
    case ConnectionMeter::Verdict::kSlowReader:
      End(id, Reason::kSlowReader);
      return false;
  }
  return true;
}

void Acceptor::DropUngiven() {
  sockets_.Close();
  listening_ = true;
  for (auto it = connections_.begin(); it != connections_.end();) {
    const uint64_t id = it->first;
    const bool given = it->second.stage >= Stage::kHandshake;
    ++it;
    if (!given) Drop(id);
  }
}

void Acceptor::End(uint64_t id, Reason reason) {
  const Connection& connection = connections_.at(id);
  Count(reason, connection.real);
  // gRPC has a descriptor of its own, and finds the connection ended.
  if (connection.stage >= Stage::kHandshake) {
    ::shutdown(connection.fd, SHUT_RDWR);
  }
  Drop(id);
}

void Acceptor::Drop(uint64_t id) {
  const auto it = connections_.find(id);
  const Connection& connection = it->second;
  if (connection.counted) {
    const auto site = per_site_.find(connection.real.address.Site());
    if (--site->second == 0) per_site_.erase(site);
  }
  silent_.erase(id);
  queue_.Remove(id);
  // Closing alone would not end the watch: gRPC's duplicate may live on.
  ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, connection.fd, nullptr);
  if (connection.stage >= Stage::kHandshake) {
    --given_;
    absl::MutexLock lock(&mutex_);
    const auto handed = handed_.find(connection.peer.GrpcPeer());
    if (handed != handed_.end() && handed->second.id == id) {
      handed_.erase(handed);
    }
  }
  ::close(connection.fd);
  connections_.erase(it);
}

void Acceptor::Count(Reason reason, const Endpoint& client) {
  const std::string peer = client.GrpcPeer();
  {
    absl::MutexLock lock(&mutex_);
    ++figures_.ended[static_cast<size_t>(reason)];
    last_refused_ = peer;
  }
  if (!IsCut(reason)) return;
  LogWarning("a connection was cut", {{"listener", options_.name},
                                      {"peer", peer},
                                      {"reason", ReasonName(reason)}});
}

// Refusals can be many: some lines tell of all of them.
void Acceptor::ReportRefusals(absl::Duration now) {
  if (now < report_at_) return;
  std::array<uint64_t, kReasons> fresh = {};
  std::string last;
  {
    absl::MutexLock lock(&mutex_);
    for (size_t i = 0; i < fresh.size(); ++i) {
      fresh[i] = figures_.ended[i] - reported_[i];
    }
    reported_ = figures_.ended;
    last = last_refused_;
  }
  for (size_t i = 0; i < fresh.size(); ++i) {
    const auto reason = static_cast<Reason>(i);
    if (fresh[i] == 0 || IsCut(reason)) continue;
    report_at_ = now + kReportInterval;
    LogWarning("connections were refused", {{"listener", options_.name},
                                            {"reason", ReasonName(reason)},
                                            {"count", fresh[i]},
                                            {"last_peer", last}});
  }
}

}  // namespace mc::service
