// For tests that kill a process.
#ifndef COMMON_SQLITE_TESTING_H_
#define COMMON_SQLITE_TESTING_H_

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/functional/function_ref.h"

namespace mc::sqlite::testing {

// Forks a process that runs `work` and then leaves without any clean-up.
inline pid_t Fork(absl::FunctionRef<void()> work) {
  const pid_t child = fork();
  if (child == 0) {
    work();
    _exit(0);
  }
  return child;
}

// The signal that ended the child, 0 where it ended by itself.
inline int SignalThatEnded(pid_t child) {
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

}  // namespace mc::sqlite::testing

#endif  // COMMON_SQLITE_TESTING_H_
