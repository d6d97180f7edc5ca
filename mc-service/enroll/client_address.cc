#include "mc-service/enroll/client_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace mc::service {
namespace {

// From metadata: it goes into logs.
constexpr size_t kLongestAddress = 64;

std::string_view Between(std::string_view text, std::string_view open,
                         std::string_view close) {
  if (text.substr(0, open.size()) != open) return {};
  const size_t end = text.find(close, open.size());
  if (end == std::string_view::npos) return {};
  return text.substr(open.size(), end - open.size());
}

}  // namespace

std::string AddressOf(std::string_view peer) {
  if (const auto v4 = Between(peer, "ipv4:", ":"); !v4.empty()) {
    return std::string(v4);
  }
  for (const auto& [open, close] :
       {std::pair("ipv6:[", "]"), std::pair("ipv6:%5B", "%5D")}) {
    if (const auto v6 = Between(peer, open, close); !v6.empty()) {
      // Without the zone of a link-local address.
      return std::string(v6.substr(0, v6.find('%')));
    }
  }
  return std::string(peer);
}

std::string AddressGroup(std::string_view address) {
  const std::string text(address);
  in6_addr v6 = {};
  if (::inet_pton(AF_INET6, text.c_str(), &v6) != 1) return text;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    return absl::StrCat(v6.s6_addr[12], ".", v6.s6_addr[13], ".",
                        v6.s6_addr[14], ".", v6.s6_addr[15]);
  }
  std::fill(v6.s6_addr + 8, v6.s6_addr + 16, 0);
  char network[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(AF_INET6, &v6, network, sizeof(network));
  return absl::StrCat(network, "/64");
}

std::string AddressFromFront(const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(kClientAddressKey);
  if (found == metadata.end()) return "unknown";
  std::string address(found->second.data(), found->second.size());
  address.resize(std::min(address.size(), kLongestAddress));
  return address;
}

}  // namespace mc::service
