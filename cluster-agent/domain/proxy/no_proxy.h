// What is reached without the proxy.
#ifndef MC_CLUSTER_AGENT_DOMAIN_PROXY_NO_PROXY_H_
#define MC_CLUSTER_AGENT_DOMAIN_PROXY_NO_PROXY_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace mc::agent {

// An address of either family in IPv6's form: an IPv4 address is the same as
// its mapped one (RFC 4291, 2.5.5.2).
using NumericAddress = std::array<uint8_t, 16>;
std::optional<NumericAddress> ParseNumericAddress(std::string_view text);
// 127.0.0.0/8, ::1 and localhost.
bool IsThisMachine(std::string_view host);

// One rule, as Go's net/http reads it; curl agrees but for the third:
//   *                    everything
//   example.com          the name, and every name below it
//   .example.com         every name below it, not itself; also *.example.com
//   192.0.2.1, 2001:db8::1, [2001:db8::1]
//   10.0.0.0/8, fd00::/8 networks
// each but * also with :port (an IPv6 address in brackets then). Names match in
// any case and with a dot at the end; an address matches only what is
// configured as an address, for names are the proxy's to resolve.
class NoProxyRule {
 public:
  // INVALID_ARGUMENT with what is wrong.
  static absl::StatusOr<NoProxyRule> Parse(std::string_view text);

  bool everything() const { return kind_ == Kind::kEverything; }
  // `host` without brackets.
  bool Matches(const std::string& host, int port) const;

 private:
  enum class Kind { kEverything, kName, kBelow, kNetwork };

  Kind kind_ = Kind::kEverything;
  // 0: any.
  int port_ = 0;
  // In lower case, without dots around it.
  std::string name_;
  NumericAddress network_ = {};
  int prefix_bits_ = 0;
};

// The rules of a variable, separated by commas or spaces. What is no rule is
// left out, as curl does.
std::vector<NoProxyRule> ParseNoProxyVariable(std::string_view text);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_PROXY_NO_PROXY_H_
