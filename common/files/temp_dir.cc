#include "common/files/temp_dir.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace mc {

TempDir::TempDir() {
  std::string pattern =
      (std::filesystem::temp_directory_path() / "mission-control-XXXXXX")
          .string();
  if (mkdtemp(pattern.data()) == nullptr) {
    std::perror(pattern.c_str());
    std::abort();
  }
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::File(std::string_view name) const {
  return std::string(path_).append("/").append(name);
}

}  // namespace mc
