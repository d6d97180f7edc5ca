#include "mc-service/edge/acceptor.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <utility>

namespace mc::service {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(20);
// A record of a handshake with a message of four bytes.
const std::string kHello("\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9);

class Client {
 public:
  explicit Client(int port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address),
                        sizeof(address)),
              0);
  }
  Client(const Client&) = delete;
  ~Client() { ::close(fd_); }

  void Send(const std::string& bytes) const {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // As gRPC would name it.
  std::string Peer() const {
    sockaddr_storage address = {};
    socklen_t size = sizeof(address);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    return Endpoint::Of(address)->GrpcPeer();
  }
  // Whether the other end ends it within the time.
  bool IsEnded(absl::Duration time = kPatience) const {
    pollfd polled = {fd_, POLLIN, 0};
    if (::poll(&polled, 1, static_cast<int>(time / absl::Milliseconds(1))) <=
        0) {
      return false;
    }
    char byte;
    return ::recv(fd_, &byte, 1, 0) <= 0;
  }

 private:
  const int fd_;
};

class AcceptorTest : public ::testing::Test {
 protected:
  ~AcceptorTest() override {
    acceptor_ = nullptr;
    for (const int fd : given_) ::close(fd);
  }

  void Start(const Acceptor::Limits& limits, const char* proxies = nullptr) {
    Acceptor::Options options;
    options.name = "test";
    options.host = "127.0.0.1";
    if (proxies != nullptr) options.proxies = {*Network::Parse(proxies)};
    options.limits = limits;
    options.clock = &clock_;
    auto acceptor = Acceptor::Bind(std::move(options));
    ASSERT_TRUE(acceptor.ok()) << acceptor.status();
    acceptor_ = *std::move(acceptor);
    ASSERT_TRUE(acceptor_
                    ->Start([this](int, int fd) {
                      absl::MutexLock lock(&mutex_);
                      given_.push_back(fd);
                    })
                    .ok());
  }

  int port() const { return acceptor_->port(); }

  // Waits until so many were handed over.
  bool Given(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto given = [&] {
      mutex_.AssertHeld();
      return given_.size() == count;
    };
    return mutex_.AwaitWithTimeout(absl::Condition(&given), kPatience);
  }
  int given(size_t index) {
    absl::MutexLock lock(&mutex_);
    return given_.at(index);
  }

  // The test closes it itself.
  int Take(size_t index) {
    absl::MutexLock lock(&mutex_);
    return std::exchange(given_.at(index), -1);
  }

  uint64_t Ended(EndReason reason) const {
    return acceptor_->figures().ended[static_cast<size_t>(reason)];
  }

  RealClock clock_;
  absl::Mutex mutex_;
  std::vector<int> given_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Acceptor> acceptor_;
};

TEST_F(AcceptorTest, HandsOverWhenTheWholeHelloIsThere) {
  Start({});
  const Client slow(port());
  slow.Send(kHello.substr(0, 8));
  const Client client(port());
  client.Send(kHello);
  ASSERT_TRUE(Given(1));
  char bytes[16];
  EXPECT_EQ(::recv(given(0), bytes, sizeof(bytes), MSG_DONTWAIT), 9);
  // What is there was only looked at; and the descriptor does not block.
  EXPECT_EQ(::recv(given(0), bytes, sizeof(bytes), 0), -1);
  EXPECT_EQ(errno, EAGAIN);
  slow.Send(kHello.substr(8));
  EXPECT_TRUE(Given(2));
}

TEST_F(AcceptorTest, WhatIsNoTlsIsRefusedAtOnce) {
  Start({});
  const Client client(port());
  client.Send("GET / HTTP/1.1\r\n");
  EXPECT_TRUE(client.IsEnded());
  EXPECT_EQ(Ended(EndReason::kNotTls), 1);
}

TEST_F(AcceptorTest, SilenceEndsWithTheTimeout) {
  Start({.handshake_timeout = absl::Milliseconds(50)});
  const Client silent(port());
  const Client half(port());
  half.Send(kHello.substr(0, 5));
  EXPECT_TRUE(silent.IsEnded());
  EXPECT_TRUE(half.IsEnded());
  EXPECT_EQ(Ended(EndReason::kSilent), 2);
}

TEST_F(AcceptorTest, HandshakeThatIsNotFinishedIsCut) {
  Start({.handshake_timeout = absl::Milliseconds(50)});
  const Client client(port());
  client.Send(kHello);
  ASSERT_TRUE(Given(1));
  // Though it was handed over.
  EXPECT_TRUE(client.IsEnded());
  EXPECT_EQ(Ended(EndReason::kHandshakeTimeout), 1);
}

TEST_F(AcceptorTest, SilentOneGivesWayWhenFull) {
  Start({.max_connections = 2});
  const Client first(port());
  const Client second(port());
  const Client third(port());
  EXPECT_TRUE(first.IsEnded());
  second.Send(kHello);
  third.Send(kHello);
  ASSERT_TRUE(Given(2));
  const Client fourth(port());
  EXPECT_TRUE(fourth.IsEnded());
  EXPECT_EQ(Ended(EndReason::kConnections), 1);
}

TEST_F(AcceptorTest, PlaceIsFreeWhenTheConnectionEnds) {
  Start({.max_connections = 1});
  const Client first(port());
  first.Send(kHello);
  ASSERT_TRUE(Given(1));
  // As gRPC does it.
  ::close(Take(0));
  for (const absl::Time end = clock_.Now() + kPatience;
       acceptor_->figures().connections > 0 && clock_.Now() < end;) {
    std::this_thread::yield();
  }
  const Client second(port());
  second.Send(kHello);
  EXPECT_TRUE(Given(2));
}

TEST_F(AcceptorTest, SiteHasItsOwnLimit) {
  Start({.max_connections_per_site = 1});
  const Client first(port());
  first.Send(kHello);
  ASSERT_TRUE(Given(1));
  const Client second(port());
  EXPECT_TRUE(second.IsEnded());
  EXPECT_EQ(Ended(EndReason::kSiteConnections), 1);
}

TEST_F(AcceptorTest, CutEndsTheConnectionOfThatPeer) {
  Start({});
  const Client client(port());
  const Client other(port());
  client.Send(kHello);
  other.Send(kHello);
  ASSERT_TRUE(Given(2));
  EXPECT_TRUE(acceptor_->Cut(client.Peer(), "test"));
  EXPECT_TRUE(client.IsEnded());
  EXPECT_FALSE(other.IsEnded(absl::ZeroDuration()));
  EXPECT_EQ(Ended(EndReason::kOffender), 1);
  EXPECT_FALSE(acceptor_->Cut("ipv4:192.0.2.1:1", "test"));
}

const std::string kProxyHeader(
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"
    "\xc0\x00\x02\x01\xc6\x33\x64\x02\x13\x88\x01\xbb",
    28);

TEST_F(AcceptorTest, BalancersHeaderTellsTheRealPeer) {
  Start({}, "127.0.0.0/8");
  const Client client(port());
  // In pieces, and with what follows.
  client.Send(kProxyHeader.substr(0, 20));
  client.Send(kProxyHeader.substr(20) + kHello);
  ASSERT_TRUE(Given(1));
  EXPECT_EQ(acceptor_->RealPeer(client.Peer()), "ipv4:192.0.2.1:5000");
  EXPECT_EQ(acceptor_->RealPeer("ipv4:127.0.0.1:1"), "ipv4:127.0.0.1:1");
  char bytes[64];
  EXPECT_EQ(::recv(given(0), bytes, sizeof(bytes), MSG_DONTWAIT), 9);
}

TEST_F(AcceptorTest, BalancerWithoutHeaderIsRefused) {
  Start({}, "127.0.0.0/8");
  const Client client(port());
  client.Send(kHello + std::string(16, 'x'));
  EXPECT_TRUE(client.IsEnded());
  EXPECT_EQ(Ended(EndReason::kProxyHeader), 1);
}

TEST_F(AcceptorTest, HeaderOfStrangersIsNotLookedAt) {
  Start({}, "192.0.2.0/24");
  const Client client(port());
  client.Send(kProxyHeader + kHello);
  EXPECT_TRUE(client.IsEnded());
  EXPECT_EQ(Ended(EndReason::kNotTls), 1);
}

TEST_F(AcceptorTest, NobodyIsHandedOverAfterTheStop) {
  Start({});
  const Client waiting(port());
  const Client open(port());
  open.Send(kHello);
  ASSERT_TRUE(Given(1));
  acceptor_->StopAccepting();
  EXPECT_TRUE(waiting.IsEnded());
  EXPECT_FALSE(open.IsEnded(absl::ZeroDuration()));
  EXPECT_TRUE(Given(1));
}

TEST(Acceptor, PortOfAnotherIsAnError) {
  RealClock clock;
  const auto bind = [&](int port) {
    Acceptor::Options options;
    options.host = "localhost";
    options.port = port;
    options.clock = &clock;
    return Acceptor::Bind(std::move(options));
  };
  const auto first = bind(0);
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE((*first)->Start([](int, int fd) { ::close(fd); }).ok());
  const auto second = bind((*first)->port());
  EXPECT_TRUE(absl::IsUnavailable(second.status()));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use"));
}

}  // namespace
}  // namespace mc::service
