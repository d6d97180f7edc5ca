#include "common/lifecycle/lifecycle.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mc {
namespace {

// Runs in a process of its own: signals and their masks are process-wide.
int ExitCodeOf(void (*body)()) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(99);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(StopSignal, ASignalEndsTheWait) {
  for (const int number : {SIGTERM, SIGINT}) {
    static int sent;
    sent = number;
    EXPECT_EQ(ExitCodeOf([] {
                StopSignal stop;
                kill(getpid(), sent);
                stop.Wait();
                _exit(0);
              }),
              0);
  }
}

TEST(StopSignal, CodeCanAskForTheEnd) {
  EXPECT_EQ(ExitCodeOf([] {
              StopSignal stop;
              StopSignal::RequestStop();
              stop.Wait();
              _exit(0);
            }),
            0);
}

// Another process sends it, as a person or a supervisor does.
void SignalFromOutside(int number) {
  const pid_t target = getpid();
  const pid_t sender = fork();
  if (sender == 0) {
    kill(target, number);
    _exit(0);
  }
  waitpid(sender, nullptr, 0);
}

TEST(StopSignal, ASecondSignalEndsTheProcessAtOnce) {
  EXPECT_EQ(ExitCodeOf([] {
              StopSignal stop;
              SignalFromOutside(SIGTERM);
              stop.Wait();
              SignalFromOutside(SIGINT);
              while (true) pause();
            }),
            130);
}

TEST(StopSignal, AskingAgainDoesNotCutTheDrainShort) {
  EXPECT_EQ(ExitCodeOf([] {
              StopSignal stop;
              SignalFromOutside(SIGINT);
              stop.Wait();
              // The thread that watches takes the second of them only if the
              // first has not ended the process.
              for (int i = 0; i < 2; ++i) {
                StopSignal::RequestStop();
                sigset_t pending;
                do {
                  sigpending(&pending);
                } while (sigismember(&pending, SIGTERM));
              }
              _exit(0);
            }),
            0);
}

TEST(Descriptors, AreCountedAndTheLimitIsRaised) {
  const int64_t before = OpenDescriptors();
  const int fd = open("/dev/null", O_RDONLY);
  EXPECT_EQ(OpenDescriptors(), before + 1);
  close(fd);
  const int64_t limit = RaiseDescriptorLimit();
  rlimit now = {};
  getrlimit(RLIMIT_NOFILE, &now);
  EXPECT_EQ(now.rlim_cur, now.rlim_max);
  EXPECT_EQ(limit, static_cast<int64_t>(now.rlim_max));
}

}  // namespace
}  // namespace mc
