#include "mc-service/edge/proxy_header.h"

#include <gtest/gtest.h>

#include <string>

namespace mc::service {
namespace {

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string Header(uint8_t command, uint8_t family, const std::string& body) {
  return kSignature + static_cast<char>(command) + static_cast<char>(family) +
         static_cast<char>(body.size() >> 8) +
         static_cast<char>(body.size() & 0xff) + body;
}

// 192.0.2.1:5000 to 198.51.100.2:443.
const std::string kV4("\xc0\x00\x02\x01\xc6\x33\x64\x02\x13\x88\x01\xbb", 12);

std::string V6() {
  std::string body = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, 0);
  body += '\x01';
  body += std::string(16, '\x02');
  return body + std::string("\x13\x88\x01\xbb", 4);
}

// "" where nothing is said, "error" where it is refused.
std::string Source(const std::string& header) {
  const auto parsed = ParseProxyHeader(header);
  if (!parsed.ok()) return "error";
  return parsed->has_value() ? (*parsed)->GrpcPeer() : "";
}

TEST(ProxyHeader, SourceIsWhereTheConnectionComesFrom) {
  EXPECT_EQ(Source(Header(0x21, 0x11, kV4)), "ipv4:192.0.2.1:5000");
  EXPECT_EQ(Source(Header(0x21, 0x21, V6())), "ipv6:%5B2001:db8::1%5D:5000");
}

TEST(ProxyHeader, FieldsBehindTheAddressesAreSkipped) {
  const std::string fields("\x04\x00\x02zz\xe0\x00\x00", 8);
  EXPECT_EQ(Source(Header(0x21, 0x11, kV4 + fields)), "ipv4:192.0.2.1:5000");
}

TEST(ProxyHeader, LocalAndUnspecifiedSayNothing) {
  EXPECT_EQ(Source(Header(0x20, 0x00, "")), "");
  EXPECT_EQ(Source(Header(0x20, 0x11, kV4)), "");
  EXPECT_EQ(Source(Header(0x20, 0x31, "whatever")), "");
  EXPECT_EQ(Source(Header(0x21, 0x00, "whatever")), "");
}

TEST(ProxyHeader, WhatIsNotOfTcpOverIpIsRefused) {
  for (const int family : {0x12, 0x22, 0x31, 0x32, 0x10, 0x01, 0x41, 0xff}) {
    EXPECT_EQ(Source(Header(0x21, static_cast<uint8_t>(family),
                            std::string(216, 'x'))),
              "error")
        << family;
  }
}

TEST(ProxyHeader, OtherVersionsAndCommandsAreRefused) {
  for (const int command : {0x11, 0x31, 0x01, 0x22, 0x2f, 0xff}) {
    EXPECT_EQ(Source(Header(static_cast<uint8_t>(command), 0x11, kV4)), "error")
        << command;
  }
  EXPECT_FALSE(ProxyBodyBytes("PROXY TCP4 192.0").ok());
}

TEST(ProxyHeader, EveryCutIsRefused) {
  const std::string fields("\x04\x00\x02zz", 5);
  const std::string whole = Header(0x21, 0x11, kV4 + fields);
  ASSERT_EQ(Source(whole), "ipv4:192.0.2.1:5000");
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(Source(whole.substr(0, size)), "error") << size;
  }
  // The length is right, and what it covers is not.
  for (size_t size = 0; size < kV4.size(); ++size) {
    EXPECT_EQ(Source(Header(0x21, 0x11, kV4.substr(0, size))), "error") << size;
  }
  for (size_t size = 1; size < fields.size(); ++size) {
    EXPECT_EQ(Source(Header(0x21, 0x11, kV4 + fields.substr(0, size))), "error")
        << size;
  }
}

TEST(ProxyHeader, LengthIsBounded) {
  const auto size = [](const std::string& body) {
    return ProxyBodyBytes(Header(0x21, 0x11, body).substr(0, 16));
  };
  EXPECT_EQ(*size(std::string(kMaxProxyBodyBytes, 'x')), kMaxProxyBodyBytes);
  EXPECT_FALSE(size(std::string(kMaxProxyBodyBytes + 1, 'x')).ok());
}

}  // namespace
}  // namespace mc::service
