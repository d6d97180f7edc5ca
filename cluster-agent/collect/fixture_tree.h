// A small tree of files that a test lays out and the readers take for "/".
#ifndef MC_CLUSTER_AGENT_COLLECT_FIXTURE_TREE_H_
#define MC_CLUSTER_AGENT_COLLECT_FIXTURE_TREE_H_

#include <string>

#include "cluster-agent/collect/kernel_files.h"
#include "common/files/temp_dir.h"

namespace mc::agent {

// Lives in the test's temporary directory and goes with the object.
class FixtureTree {
 public:
  CollectOptions options() const { return {root_.path()}; }

  // Each makes the directories above `path`, which is absolute in the tree.
  void Write(const std::string& path, const std::string& text) const;
  void Link(const std::string& path, const std::string& target) const;
  void Directory(const std::string& path) const;

 private:
  TempDir root_;
};

// What a command of this machine prints, without the last newline; fails the
// test when the command does.
std::string Output(const std::string& command);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_COLLECT_FIXTURE_TREE_H_
