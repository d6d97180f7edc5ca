#include "common/tls/frame_guard.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "common/time/clock.h"

namespace mc {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr uint8_t kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6,
                  kContinuation = 9;

std::string Frame(uint8_t type, uint8_t flags, std::string_view payload) {
  std::string frame;
  for (int shift = 16; shift >= 0; shift -= 8) {
    frame += static_cast<char>((payload.size() >> shift) & 0xff);
  }
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  return frame.append(std::string("\0\0\0\1", 4)).append(payload);
}

std::string Field(std::string_view name, std::string_view value = "x") {
  std::string field(1, '\0');
  field += static_cast<char>(name.size());
  field.append(name);
  field += static_cast<char>(value.size());
  return field.append(value);
}

class FrameGuardTest : public testing::Test {
 protected:
  FrameGuardTest() { EXPECT_EQ(Take(kPreface), ""); }

  std::string Take(std::string_view bytes) {
    const char* why = guard_.Take(bytes, now_);
    return why == nullptr ? "" : why;
  }

  int TakeUntilRefused(std::string_view bytes) {
    int count = 0;
    while (Take(bytes).empty() && count < 100'000) ++count;
    return count;
  }

  absl::Duration now_ = absl::Hours(1);
  FrameGuard::Limits limits_;
  FrameGuard guard_{limits_};
};

TEST_F(FrameGuardTest, CallsMayCome) {
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(Take(Frame(kHeaders, 4, Field(":path", "/a/b") + "\x83\x86")),
              "");
    EXPECT_EQ(Take(Frame(kData, 1, std::string(16384, 'x'))), "");
  }
}

TEST_F(FrameGuardTest, BytesMayComeOneByOne) {
  const std::string frames = Frame(kSettings, 0, "") +
                             Frame(kHeaders, 0, Field("grpc-timeout", "1S")) +
                             Frame(kContinuation, 4, "\x83");
  for (const char c : frames) EXPECT_EQ(Take({&c, 1}), "");
}

TEST_F(FrameGuardTest, NameThatEndsTheProcessIsNotLetThrough) {
  const std::string frame =
      Frame(kHeaders, 4, Field("a") + Field("grpclb_client_stats"));
  EXPECT_NE(Take(frame), "");
}

TEST_F(FrameGuardTest, NorInParts) {
  const std::string block = Field("a") + Field("grpclb_client_stats");
  std::string said;
  for (const char c : Frame(kHeaders, 0, block.substr(0, 10)) +
                          Frame(kContinuation, 4, block.substr(10))) {
    said = Take({&c, 1});
    if (!said.empty()) break;
  }
  EXPECT_EQ(said, "a header that would end the process");
}

TEST_F(FrameGuardTest, NorInHuffmanCode) {
  std::string bits;
  const auto add = [&bits](unsigned code, int size) {
    for (int i = size - 1; i >= 0; --i) bits += ((code >> i) & 1) ? '1' : '0';
  };
  for (const char c : std::string_view("grpclb_client_stats")) {
    switch (c) {
      case 'a':
        add(0b00011, 5);
        break;
      case 'b':
        add(0b100011, 6);
        break;
      case 'c':
        add(0b00100, 5);
        break;
      case 'e':
        add(0b00101, 5);
        break;
      case 'g':
        add(0b100110, 6);
        break;
      case 'i':
        add(0b00110, 5);
        break;
      case 'l':
        add(0b101000, 6);
        break;
      case 'n':
        add(0b101010, 6);
        break;
      case 'p':
        add(0b101011, 6);
        break;
      case 'r':
        add(0b101100, 6);
        break;
      case 's':
        add(0b01000, 5);
        break;
      case 't':
        add(0b01001, 5);
        break;
      default:
        add(0b100010, 6);
    }
  }
  while (bits.size() % 8 != 0) bits += '1';
  std::string coded(1, '\x40');
  coded += static_cast<char>(0x80 | (bits.size() / 8));
  for (size_t i = 0; i < bits.size(); i += 8) {
    coded += static_cast<char>(std::stoi(bits.substr(i, 8), nullptr, 2));
  }
  EXPECT_EQ(Take(Frame(kHeaders, 4, coded + "\x01x")),
            "a header that would end the process");
}

TEST_F(FrameGuardTest, StreamsThatBeginOrAreResetAreCounted) {
  const std::string both =
      Frame(kHeaders, 4, "\x83") + Frame(kReset, 0, "1234");
  EXPECT_EQ(TakeUntilRefused(both), 500);
}

TEST_F(FrameGuardTest, TheyComeBackWithTime) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(Take(Frame(kHeaders, 4, "\x83")), "");
  }
  now_ += absl::Seconds(1);
  EXPECT_EQ(TakeUntilRefused(Frame(kHeaders, 4, "\x83")), 40);
}

TEST_F(FrameGuardTest, ThoseOfAllConnectionsOfAClientAreCountedTogether) {
  const SimulatedClock clock(absl::FromUnixSeconds(1'795'255'200));
  RateLimit together({.burst = 10, .per_second = 1, .clock = &clock});
  FrameGuard first(limits_, &together, "a"), second(limits_, &together, "a"),
      other(limits_, &together, "b");
  const std::string begin = std::string(kPreface) + Frame(kHeaders, 4, "\x83");
  const std::string next = Frame(kHeaders, 4, "\x83");
  EXPECT_EQ(first.Take(begin, now_), nullptr);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(first.Take(next, now_), nullptr);
  EXPECT_NE(second.Take(begin, now_), nullptr);
  EXPECT_EQ(other.Take(begin, now_), nullptr);
}

TEST_F(FrameGuardTest, PingsAndSettingsAreCounted) {
  EXPECT_EQ(
      TakeUntilRefused(Frame(kPing, 0, "12345678") + Frame(kSettings, 0, "")),
      100);
}

TEST_F(FrameGuardTest, EmptyDataIsCounted) {
  EXPECT_EQ(TakeUntilRefused(Frame(kData, 0, "")), 20'000);
}

TEST_F(FrameGuardTest, HeaderBlockHasAnEnd) {
  EXPECT_EQ(Take(Frame(kHeaders, 0, "\x83")), "");
  EXPECT_NE(Take(Frame(kContinuation, 0, "")), "");
}

TEST_F(FrameGuardTest, HeaderBlockIsNotLongerThanItMayBe) {
  EXPECT_EQ(Take(Frame(kHeaders, 0, std::string(16'000, '\x83'))), "");
  EXPECT_EQ(Take(Frame(kContinuation, 0, std::string(16'000, '\x83'))), "");
  EXPECT_NE(Take(Frame(kContinuation, 4, std::string(16'000, '\x83'))), "");
}

TEST_F(FrameGuardTest, NumberHasAnEnd) {
  EXPECT_NE(Take(Frame(kHeaders, 0,
                       std::string("\0\x7f", 2) + std::string(100, '\x80'))),
            "");
}

TEST_F(FrameGuardTest, TableIsNotResizedAgainAndAgain) {
  EXPECT_EQ(Take(Frame(kHeaders, 4, "\x20\x3f\xe1\x1f\x83")), "");
  EXPECT_NE(Take(Frame(kHeaders, 4, "\x20\x21\x20\x83")), "");
}

TEST_F(FrameGuardTest, SizeOfTheTableThatComesInPiecesIsOne) {
  EXPECT_EQ(JudgeHeaderBlock("\x3f\xe1").resizes, 0);
  const std::string frame = Frame(kHeaders, 4, "\x3f\xe1\x1f\x83");
  for (const char byte : frame) EXPECT_EQ(Take({&byte, 1}), "");
}

TEST_F(FrameGuardTest, BlockThatEndsInAFieldIsMalformed) {
  EXPECT_NE(Take(Frame(kHeaders, 4, std::string("\0\5ab", 4))), "");
}

TEST_F(FrameGuardTest, PriorityIsNoPartOfTheBlock) {
  EXPECT_EQ(Take(Frame(kHeaders, 4 | 0x20,
                       std::string("\0\0\0\0\xff", 5) + Field("a"))),
            "");
}

}  // namespace
}  // namespace mc
