#include "cluster-agent/domain/proxy/no_proxy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace mc::agent {
namespace {

constexpr int kAddressBits = 128;
constexpr int kMappedBits = 96;

absl::string_view View(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}

std::string NormalName(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return absl::AsciiStrToLower(View(host));
}

bool IsName(std::string_view text) {
  return !text.empty() && !text.starts_with('.') && !text.ends_with('.') &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_' ||
                  c >= 0x80;
         });
}

absl::Status NoRule(std::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", View(text),
      "\" is no exclusion; write a host name, a .domain, an address or a "
      "network like 10.0.0.0/8, each also with :port, or *"));
}

// Takes ":port" from the end; false: it is none. The colons of an IPv6 address
// without brackets begin no port.
bool TakePort(std::string_view& text, int& port) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.ends_with(']') ||
      ParseNumericAddress(text).has_value()) {
    return true;
  }
  // Of a network: what stands behind its size.
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos && colon < slash) return true;
  if (!absl::SimpleAtoi(View(text.substr(colon + 1)), &port) || port <= 0 ||
      port > 65535) {
    return false;
  }
  text = text.substr(0, colon);
  return true;
}

bool SameBits(const NumericAddress& a, const NumericAddress& b, int bits) {
  const int bytes = bits / 8;
  if (std::memcmp(a.data(), b.data(), bytes) != 0) return false;
  if (bits % 8 == 0) return true;
  const int mask = 0xff00 >> (bits % 8);
  return ((a[bytes] ^ b[bytes]) & mask & 0xff) == 0;
}

}  // namespace

std::optional<NumericAddress> ParseNumericAddress(std::string_view text) {
  // inet_pton would stop at it.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string copy(text);
  NumericAddress address = {};
  if (inet_pton(AF_INET6, copy.c_str(), address.data()) == 1) return address;
  if (inet_pton(AF_INET, copy.c_str(), address.data() + kMappedBits / 8) != 1) {
    return std::nullopt;
  }
  address[10] = address[11] = 0xff;
  return address;
}

bool IsThisMachine(std::string_view host) {
  const std::string name = NormalName(host);
  if (name == "localhost" || name.ends_with(".localhost")) return true;
  const auto address = ParseNumericAddress(name);
  if (!address.has_value()) return false;
  constexpr int kLoopbackBits = 8;
  return *address == *ParseNumericAddress("::1") ||
         SameBits(*address, *ParseNumericAddress("127.0.0.0"),
                  kMappedBits + kLoopbackBits);
}

absl::StatusOr<NoProxyRule> NoProxyRule::Parse(std::string_view text) {
  NoProxyRule rule;
  if (text == "*") return rule;
  std::string_view rest = text;
  if (!TakePort(rest, rule.port_)) return NoRule(text);
  const size_t slash = rest.find('/');
  std::string_view address = rest.substr(0, slash);
  if (address.starts_with('[') && address.ends_with(']')) {
    address = address.substr(1, address.size() - 2);
  }
  if (const auto parsed = ParseNumericAddress(address); parsed.has_value()) {
    const bool ipv4 = address.find(':') == std::string_view::npos;
    const int most = ipv4 ? kAddressBits - kMappedBits : kAddressBits;
    int bits = most;
    if (slash != std::string_view::npos &&
        (!absl::SimpleAtoi(View(rest.substr(slash + 1)), &bits) || bits < 0 ||
         bits > most)) {
      return NoRule(text);
    }
    rule.kind_ = Kind::kNetwork;
    rule.network_ = *parsed;
    rule.prefix_bits_ = bits + (ipv4 ? kMappedBits : 0);
    return rule;
  }
  rule.kind_ = Kind::kName;
  if (rest.starts_with("*.")) rest.remove_prefix(1);
  if (rest.starts_with('.')) {
    rule.kind_ = Kind::kBelow;
    rest.remove_prefix(1);
  }
  rule.name_ = NormalName(rest);
  if (!IsName(rule.name_)) return NoRule(text);
  return rule;
}

bool NoProxyRule::Matches(const std::string& host, int port) const {
  if (port_ != 0 && port_ != port) return false;
  if (kind_ == Kind::kEverything) return true;
  const std::string name = NormalName(host);
  const auto address = ParseNumericAddress(name);
  if (kind_ == Kind::kNetwork || address.has_value()) {
    return kind_ == Kind::kNetwork && address.has_value() &&
           SameBits(*address, network_, prefix_bits_);
  }
  if (kind_ == Kind::kName && name == name_) return true;
  return name.ends_with(absl::StrCat(".", name_));
}

std::vector<NoProxyRule> ParseNoProxyVariable(std::string_view text) {
  std::vector<NoProxyRule> rules;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(", \t"), text.size());
    const absl::StatusOr<NoProxyRule> rule =
        NoProxyRule::Parse(text.substr(0, end));
    if (rule.ok()) rules.push_back(*rule);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return rules;
}

}  // namespace mc::agent
