#include "mc-service/edge/lent_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace mc::service {
namespace {

// Both ends of a connection; the number of the second is what is lent.
std::array<int, 2> Connected() {
  const int listening = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(::bind(listening, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(listening, 1), 0);
  ::getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size);
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&address), size), 0);
  const int server = ::accept(listening, nullptr, nullptr);
  EXPECT_GE(server, 0);
  ::close(listening);
  return {client, server};
}

bool IsEnded(int client) {
  char byte;
  return ::recv(client, &byte, 1, MSG_DONTWAIT) == 0;
}

TEST(LentSocket, CountsWhatTheKernelCounts) {
  const auto [client, server] = Connected();
  const auto lent = LentSocket::Of(server);
  ASSERT_TRUE(lent.has_value());
  ASSERT_EQ(::send(client, "seven..", 7, 0), 7);
  char bytes[16];
  ASSERT_EQ(::recv(server, bytes, sizeof(bytes), 0), 7);
  const auto traffic = lent->Traffic(absl::Seconds(5));
  ASSERT_TRUE(traffic.has_value());
  EXPECT_EQ(traffic->received, 7);
  EXPECT_EQ(traffic->queued, 0);
  EXPECT_EQ(traffic->at, absl::Seconds(5));
  ::close(client);
  ::close(server);
}

TEST(LentSocket, ShutdownEndsItForItsOwner) {
  const auto [client, server] = Connected();
  const auto lent = LentSocket::Of(server);
  ASSERT_TRUE(lent.has_value());
  lent->Shutdown();
  EXPECT_TRUE(IsEnded(client));
  ::close(client);
  ::close(server);
}

TEST(LentSocket, NextOneOfItsNumberIsAnother) {
  const auto [client, server] = Connected();
  const auto lent = LentSocket::Of(server);
  ASSERT_TRUE(lent.has_value());
  const auto [other_client, other] = Connected();
  ASSERT_EQ(::dup2(other, server), server);
  EXPECT_FALSE(lent->Traffic(absl::ZeroDuration()).has_value());
  lent->Shutdown();
  EXPECT_FALSE(IsEnded(other_client));
  // Nor is a file, or nothing.
  const int file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::dup2(file, server), server);
  EXPECT_FALSE(lent->Traffic(absl::ZeroDuration()).has_value());
  EXPECT_FALSE(LentSocket::Of(server).has_value());
  ::close(server);
  EXPECT_FALSE(lent->Traffic(absl::ZeroDuration()).has_value());
  for (const int fd : {client, other_client, other, file}) ::close(fd);
}

}  // namespace
}  // namespace mc::service
