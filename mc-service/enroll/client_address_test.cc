#include "mc-service/enroll/client_address.h"

#include <gtest/gtest.h>

namespace mc::service {
namespace {

TEST(ClientAddress, PortsDoNotTellClientsApart) {
  EXPECT_EQ(AddressOf("ipv4:192.0.2.7:4711"), "192.0.2.7");
  EXPECT_EQ(AddressOf("ipv6:%5B2001:db8::1%5D:4711"), "2001:db8::1");
  EXPECT_EQ(AddressOf("ipv6:[2001:db8::1]:4711"), "2001:db8::1");
  EXPECT_EQ(AddressOf("ipv6:%5Bfe80::1%25eth0%5D:4711"), "fe80::1");
}

TEST(ClientAddress, WhatIsNoInternetAddressStaysAsItIs) {
  EXPECT_EQ(AddressOf("unix:"), "unix:");
  EXPECT_EQ(AddressOf(""), "");
  EXPECT_EQ(AddressOf("ipv6:%5B::1"), "ipv6:%5B::1");
}

TEST(ClientAddress, AnIpv6NetworkOf64BitsIsOneClient) {
  EXPECT_EQ(AddressGroup("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(AddressGroup("2001:db8:1:2::"), "2001:db8:1:2::/64");
  EXPECT_NE(AddressGroup("2001:db8:1:3::1"), AddressGroup("2001:db8:1:2::1"));
}

TEST(ClientAddress, AMappedIpv4AddressIsThatAddress) {
  EXPECT_EQ(AddressGroup("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(AddressGroup("::ffff:192.0.2.7"), "192.0.2.7");
}

}  // namespace
}  // namespace mc::service
