#include "cluster-agent/collect/fixture_tree.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace mc::agent {

void FixtureTree::Write(const std::string& path,
                        const std::string& text) const {
  Directory(std::filesystem::path(path).parent_path());
  std::ofstream(root_.path() + path) << text;
}

void FixtureTree::Link(const std::string& path,
                       const std::string& target) const {
  Directory(std::filesystem::path(path).parent_path());
  std::filesystem::create_symlink(target, root_.path() + path);
}

void FixtureTree::Directory(const std::string& path) const {
  std::filesystem::create_directories(root_.path() + path);
}

std::string Output(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  EXPECT_NE(pipe, nullptr) << command;
  if (pipe == nullptr) return "";
  std::string text;
  for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) {
    text += static_cast<char>(c);
  }
  EXPECT_EQ(pclose(pipe), 0) << command;
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace mc::agent
