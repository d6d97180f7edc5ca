#include "mc-service/backup/manifest.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "mc-service/backup/tar.h"

namespace mc::service {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;

absl::Status NoManifest() {
  return absl::DataLossError(
      "the backup does not say what is in it: it was not made by `mc-service "
      "backup`");
}

template <typename T>
T Value(const Json& json, const char* name, T absent) {
  const auto found = json.find(name);
  if (found == json.end()) return absent;
  if constexpr (std::is_same_v<T, std::string>) {
    return found->is_string() ? found->template get<std::string>() : absent;
  } else {
    return found->is_number_integer() ? found->template get<T>() : absent;
  }
}

}  // namespace

int64_t Manifest::TotalBytes() const {
  int64_t total = 0;
  for (const BackedUpFile& file : files) total += file.bytes;
  return total;
}

std::string ToJson(const Manifest& manifest) {
  Json files = Json::array();
  for (const BackedUpFile& file : manifest.files) {
    files.push_back(
        {{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  }
  const Json json = {{"format", kFormat},
                     {"created_at", manifest.created_at},
                     {"program_version", manifest.program_version},
                     {"trust_domain", manifest.trust_domain},
                     {"service_epoch", manifest.service_epoch},
                     {"schema_version", manifest.schema_version},
                     {"files", std::move(files)},
                     {"not_included", manifest.not_included}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<Manifest> ParseManifest(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return NoManifest();
  const auto format = Value<int64_t>(json, "format", 0);
  if (format < 1) return NoManifest();
  if (format > kFormat) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the backup has format ", format, ", this program knows formats up to ",
        kFormat, "; restore it with the program that made it, or a newer one"));
  }
  Manifest manifest;
  manifest.created_at = Value<std::string>(json, "created_at", "");
  manifest.program_version = Value<std::string>(json, "program_version", "");
  manifest.trust_domain = Value<std::string>(json, "trust_domain", "");
  manifest.service_epoch = Value<uint64_t>(json, "service_epoch", 0);
  manifest.schema_version = Value<int64_t>(json, "schema_version", 0);
  const auto files = json.find("files");
  if (files == json.end() || !files->is_array()) return NoManifest();
  int64_t total = 0;
  for (const Json& file : *files) {
    if (!file.is_object()) return NoManifest();
    BackedUpFile listed{Value<std::string>(file, "name", ""),
                        Value<int64_t>(file, "bytes", -1),
                        Value<std::string>(file, "sha256", "")};
    if (!IsPlainName(listed.name) || listed.bytes < 0 ||
        listed.bytes > std::numeric_limits<int64_t>::max() - total) {
      return NoManifest();
    }
    total += listed.bytes;
    manifest.files.push_back(std::move(listed));
  }
  const auto others = json.find("not_included");
  if (others != json.end() && others->is_array()) {
    for (const Json& other : *others) {
      if (other.is_string()) {
        manifest.not_included.push_back(other.get<std::string>());
      }
    }
  }
  return manifest;
}

}  // namespace mc::service
