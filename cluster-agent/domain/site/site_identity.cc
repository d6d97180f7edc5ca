#include "cluster-agent/domain/site/site_identity.h"

#include <cstddef>

namespace mc::agent {
namespace {

bool IsLowerHex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

}  // namespace

std::string NodeUri(std::string_view cluster_id, std::string_view node_id) {
  return std::string("spiffe://")
      .append(cluster_id)
      .append("/node/")
      .append(node_id);
}

bool IsNodeId(std::string_view text) {
  constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  if (text.size() != kForm.size()) return false;
  for (size_t i = 0; i < kForm.size(); ++i) {
    if (kForm[i] == '-' ? text[i] != '-' : !IsLowerHex(text[i])) {
      return false;
    }
  }
  return true;
}

}  // namespace mc::agent
