#include "mc-service/edge/ports.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"

namespace mc::service {

absl::Status WritePorts(const Ports& ports, const std::string& file) {
  const nlohmann::ordered_json json = {{"enrollment", ports.enrollment},
                                       {"cluster", ports.cluster},
                                       {"operator", ports.operator_},
                                       {"metrics", ports.metrics}};
  return AtomicWrite(file, json.dump(2) + "\n", 0600);
}

absl::StatusOr<Ports> ReadPorts(const std::string& file) {
  const absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return text.status();
  const nlohmann::json json = nlohmann::json::parse(*text, nullptr, false);
  Ports ports;
  for (const auto& [name, port] : {std::pair("enrollment", &ports.enrollment),
                                   std::pair("cluster", &ports.cluster),
                                   std::pair("operator", &ports.operator_),
                                   std::pair("metrics", &ports.metrics)}) {
    const auto it = json.is_object() ? json.find(name) : json.end();
    if (it == json.end() || !it->is_number_integer()) {
      return absl::DataLossError(
          absl::StrCat(file, " does not name the port ", name, "."));
    }
    *port = it->get<int>();
  }
  return ports;
}

}  // namespace mc::service
