#include "mc-service/edge/handed_connections.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>

namespace mc::service {
namespace {

// A connection, of which one end is handed over.
class Pair {
 public:
  Pair() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), 0); }
  ~Pair() {
    for (const int end : ends_) ::close(end);
  }
  int fd() const { return ends_[0]; }
  bool IsEnded() const {
    char byte;
    return ::recv(ends_[1], &byte, 1, MSG_DONTWAIT) == 0;
  }

 private:
  int ends_[2] = {-1, -1};
};

TEST(HandedConnections, LatestOnAPortIsWhoItIs) {
  const Endpoint balancer{*IpAddress::Parse("192.0.2.1"), 5000};
  const Endpoint earlier{*IpAddress::Parse("198.51.100.1"), 1};
  const Endpoint later{*IpAddress::Parse("198.51.100.2"), 2};
  const Pair pair;
  HandedConnections handed;
  handed.Add(2, *LentSocket::Of(pair.fd()), balancer, later);
  handed.Add(1, *LentSocket::Of(pair.fd()), balancer, earlier);
  EXPECT_EQ(handed.RealPeer(balancer.GrpcPeer()), later.GrpcPeer());
  handed.Remove(2, balancer);
  EXPECT_EQ(handed.RealPeer(balancer.GrpcPeer()), earlier.GrpcPeer());
}

TEST(HandedConnections, OneOfTwoOnTheSamePortDoesNotHideTheOther) {
  const Endpoint peer{*IpAddress::Parse("192.0.2.1"), 5000};
  const Pair first;
  const Pair second;
  HandedConnections handed;
  handed.Add(1, *LentSocket::Of(first.fd()), peer, peer);
  handed.Add(2, *LentSocket::Of(second.fd()), peer, peer);
  handed.Remove(2, peer);
  EXPECT_EQ(handed.Cut(peer.GrpcPeer()), peer.GrpcPeer());
  EXPECT_TRUE(first.IsEnded());
  EXPECT_FALSE(second.IsEnded());
  handed.Remove(1, peer);
  EXPECT_EQ(handed.Cut(peer.GrpcPeer()), std::nullopt);
}

}  // namespace
}  // namespace mc::service
