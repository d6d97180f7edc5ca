// A folder for one test.
#ifndef COMMON_FILES_TEMP_DIR_H_
#define COMMON_FILES_TEMP_DIR_H_

#include <string>
#include <string_view>

namespace mc {

// Made below TMPDIR with mode 0700; gone, with all in it, with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string File(std::string_view name) const;

 private:
  std::string path_;
};

}  // namespace mc

#endif  // COMMON_FILES_TEMP_DIR_H_
