#include "mc-service/edge/acceptor.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

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
}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Bind(Options options) {
  absl::StatusOr<ListeningSockets> sockets =
      ListeningSockets::Bind(options.host, options.port);
  if (!sockets.ok()) return sockets.status();
  const int epoll_fd = ::epoll_create1(EPOLL_CLOEXEC);
  auto acceptor = std::unique_ptr<Acceptor>(
      new Acceptor(std::move(options), *std::move(sockets), epoll_fd));
  if (epoll_fd < 0 || acceptor->mailbox_->fd() < 0) {
    return absl::UnavailableError("no descriptors for the accept loop");
  }
  return acceptor;
}

Acceptor::Acceptor(Options options, ListeningSockets sockets, int epoll_fd)
    : options_(std::move(options)),
      sockets_(std::move(sockets)),
      port_(sockets_.port()),
      epoll_fd_(epoll_fd),
      mailbox_(std::make_shared<LoopMailbox>()),
      next_id_(kFirstSocket + sockets_.descriptors().size()),
      queue_({.per_second = options_.limits.handshakes_per_second,
              .max_under_way = options_.limits.max_handshakes,
              .max_waiting =
                  4 * static_cast<size_t>(options_.limits.max_handshakes)}),
      ends_(options_.name) {}

Acceptor::~Acceptor() {
  StopAccepting();
  if (thread_.joinable()) {
    stopping_ = true;
    mailbox_->Wake();
    thread_.join();
  }
  while (!connections_.empty()) Drop(connections_.begin()->first);
  ::close(epoll_fd_);
}

absl::Status Acceptor::Start(HandOver hand_over) {
  const absl::Status status = sockets_.Listen();
  if (!status.ok()) return status;
  hand_over_ = std::move(hand_over);
  Watch(mailbox_->fd(), EPOLLIN, kMailbox);
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
  return options_.proxies.empty() ? std::string(peer) : handed_.RealPeer(peer);
}

bool Acceptor::Cut(std::string_view peer, std::string_view why) {
  // The loop sees the end of it, and forgets it.
  const std::optional<std::string> real_peer = handed_.Cut(peer);
  if (!real_peer.has_value()) return false;
  ends_.Count(EndReason::kOffender, *real_peer, why);
  return true;
}

Acceptor::Figures Acceptor::figures() const {
  const EndCounts ended = ends_.counts();
  absl::MutexLock lock(&mutex_);
  Figures figures = figures_;
  figures.ended = ended;
  return figures;
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
        const LoopMailbox::Letters letters = mailbox_->Take();
        for (const uint64_t over : letters.handshakes_over) {
          OnHandshakeOver(over);
        }
        for (const uint64_t over : letters.connections_over) Drop(over);
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
    ExpireYoung(now);
    BeginHandshakes(now);
    SweepSome(now);
    ends_.Report(now);
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
    const absl::StatusOr<ListeningSockets::Newcomer> newcomer =
        sockets_.Accept(listening_fd);
    if (absl::IsNotFound(newcomer.status())) return;
    if (!newcomer.ok()) {
      // The first that waits learns at once that it may not come in; then a
      // pause, for what waits keeps the socket readable.
      const std::optional<Endpoint> away = sockets_.TurnAway(listening_fd);
      if (away.has_value()) {
        ends_.Count(EndReason::kDescriptors, away->GrpcPeer());
      }
      paused_until_ = now + kExhaustedPause;
      return SetListening(false);
    }
    Admit(newcomer->fd, listening_fd, newcomer->peer, now);
  }
}

void Acceptor::SetListening(bool listening) {
  listening_ = listening;
  for (size_t i = 0; i < sockets_.descriptors().size(); ++i) {
    Watch(sockets_.descriptors()[i], listening ? uint32_t{EPOLLIN} : 0U,
          kFirstSocket + i);
  }
}

}  // namespace mc::service
