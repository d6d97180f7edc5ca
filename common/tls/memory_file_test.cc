#include "common/tls/memory_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <string>

namespace mc {
namespace {

std::string Contents(std::ifstream& stream) {
  return {std::istreambuf_iterator<char>(stream), {}};
}

time_t ChangedAt(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(stat(path.c_str(), &info), 0);
  return info.st_mtime;
}

TEST(MemoryFile, IsReadByItsPath) {
  const auto file = MemoryFile::Create("one");
  ASSERT_TRUE(file.ok()) << file.status();
  std::ifstream stream((*file)->path());
  EXPECT_EQ(Contents(stream), "one");
}

TEST(MemoryFile, ReadersKeepWhatTheyHaveOpened) {
  const auto file = *MemoryFile::Create("one");
  std::ifstream early(file->path());
  const time_t before = ChangedAt(file->path());
  ASSERT_TRUE(file->Replace("another").ok());
  EXPECT_EQ(Contents(early), "one");
  std::ifstream late(file->path());
  EXPECT_EQ(Contents(late), "another");
  EXPECT_GT(ChangedAt(file->path()), before);
}

}  // namespace
}  // namespace mc
