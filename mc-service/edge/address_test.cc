#include "mc-service/edge/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>

namespace mc::service {
namespace {

IpAddress Address(const char* text) {
  const absl::StatusOr<IpAddress> address = IpAddress::Parse(text);
  EXPECT_TRUE(address.ok()) << text;
  return *address;
}

bool IsIn(const char* address, const char* network) {
  const absl::StatusOr<Network> parsed = Network::Parse(network);
  EXPECT_TRUE(parsed.ok()) << network;
  return parsed->Contains(Address(address));
}

TEST(IpAddress, MappedAddressIsThatOfIpv4) {
  EXPECT_EQ(Address("::ffff:192.0.2.1"), Address("192.0.2.1"));
  EXPECT_EQ(Address("::ffff:192.0.2.1").ToString(), "192.0.2.1");
  EXPECT_EQ(Address("2001:db8::1").ToString(), "2001:db8::1");
}

TEST(IpAddress, SixtyFourBitsOfIpv6AreOneSite) {
  EXPECT_EQ(Address("2001:db8:0:1::1").Site(),
            Address("2001:db8:0:1:ffff::2").Site());
  EXPECT_NE(Address("2001:db8:0:1::1").Site(),
            Address("2001:db8:0:2::1").Site());
  EXPECT_NE(Address("192.0.2.1").Site(), Address("192.0.2.2").Site());
}

TEST(IpAddress, OnlyAddressesAreRead) {
  for (const char* text : {"", "192.0.2", "192.0.2.256", "192.0.2.1 ",
                           "localhost", "[::1]", "::1%eth0", "1.2.3.4/32"}) {
    EXPECT_FALSE(IpAddress::Parse(text).ok()) << text;
  }
  EXPECT_FALSE(IpAddress::Parse(std::string_view("192.0.2.1\0x", 11)).ok());
}

TEST(Endpoint, PeerIsWrittenAsGrpcDoes) {
  EXPECT_EQ((Endpoint{Address("192.0.2.1"), 5000}).GrpcPeer(),
            "ipv4:192.0.2.1:5000");
  EXPECT_EQ((Endpoint{Address("::1"), 5000}).GrpcPeer(), "ipv6:%5B::1%5D:5000");
}

TEST(Network, HasTheAddressesOfItsPrefix) {
  EXPECT_TRUE(IsIn("192.0.2.77", "192.0.2.0/24"));
  EXPECT_FALSE(IsIn("192.0.3.77", "192.0.2.0/24"));
  EXPECT_TRUE(IsIn("192.0.2.77", "192.0.2.77"));
  EXPECT_FALSE(IsIn("192.0.2.78", "192.0.2.77"));
  EXPECT_TRUE(IsIn("203.0.113.9", "0.0.0.0/0"));
  EXPECT_FALSE(IsIn("2001:db8::1", "0.0.0.0/0"));
  EXPECT_TRUE(IsIn("2001:db8:ff::1", "2001:db8::/32"));
  EXPECT_FALSE(IsIn("2001:db9::1", "2001:db8::/32"));
}

TEST(Network, WrongOnesAreNotRead) {
  for (const char* text :
       {"", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/+8",
        "192.0.2.1/24", "2001:db8::1/32", "::/129", "example.com/8"}) {
    EXPECT_FALSE(Network::Parse(text).ok()) << text;
  }
}

}  // namespace
}  // namespace mc::service
