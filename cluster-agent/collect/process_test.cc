#include "cluster-agent/collect/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <limits>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/collect/fixture_tree.h"
#include "cluster-agent/collect/machine.h"

namespace mc::agent {
namespace {

// A stat line with the given command, state and start time.
std::string StatLine(const std::string& command, const std::string& state,
                     const std::string& start_ticks) {
  return absl::StrCat("42 (", command, ") ", state,
                      " 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 ",
                      start_ticks, " 1000 100 18446744073709551615 1 1 0\n");
}

class Process : public testing::Test {
 protected:
  Process() { tree_.Write("/proc/stat", "btime 1700000000\n"); }

  absl::StatusOr<ProcessFacts> Read(const std::string& stat) {
    tree_.Write("/proc/42/stat", stat);
    return ReadProcess(tree_.options(), 42);
  }

  FixtureTree tree_;
};

TEST_F(Process, StartsSoManyTicksAfterTheBoot) {
  const int64_t hertz = sysconf(_SC_CLK_TCK);
  const ProcessFacts facts =
      Read(StatLine("server", "S", absl::StrCat(10 * hertz + hertz / 2)))
          .value();
  EXPECT_TRUE(facts.alive);
  EXPECT_EQ(facts.started_at,
            absl::FromUnixSeconds(1700000010) + absl::Milliseconds(500));
}

TEST_F(Process, CommandMayHoldSpacesAndParentheses) {
  const std::string ticks = absl::StrCat(sysconf(_SC_CLK_TCK));
  for (const char* command :
       {"a b", "a) S 1 2 3", "((", "))", "", "a\n) Z (b", ") Z 1 1 1 ("}) {
    const ProcessFacts facts = Read(StatLine(command, "R", ticks)).value();
    EXPECT_TRUE(facts.alive) << command;
    EXPECT_EQ(facts.started_at, absl::FromUnixSeconds(1700000001)) << command;
  }
}

TEST_F(Process, MissingOrZombieIsNotAlive) {
  EXPECT_FALSE(ReadProcess(tree_.options(), 43).value().alive);
  EXPECT_FALSE(Read(StatLine("server", "Z", "100")).value().alive);
  EXPECT_FALSE(Read(StatLine("server", "X", "100")).value().alive);
}

TEST_F(Process, GarbageIsAnError) {
  for (const std::string& stat :
       {std::string(), std::string("42 (server"), std::string("42 (server)"),
        std::string("42 (server) S 1 2 3"), StatLine("server", "S", "x"),
        StatLine("server", "S", "-5"),
        StatLine("server", "S", "99999999999999999999")}) {
    EXPECT_TRUE(absl::IsDataLoss(Read(stat).status())) << stat;
  }
}

TEST_F(Process, HugeStartTimeDoesNotOverflow) {
  const ProcessFacts facts =
      Read(StatLine("server", "S",
                    absl::StrCat(std::numeric_limits<int64_t>::max())))
          .value();
  EXPECT_GT(facts.started_at, absl::FromUnixSeconds(1700000000));
  EXPECT_LT(facts.started_at, absl::InfiniteFuture());
}

TEST_F(Process, NumbersBelowOneAreRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(ReadProcess({}, 0).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadProcess({}, -1).status()));
}

// Seconds since 1970, as the shell reads the clock.
int64_t DateNow() {
  int64_t now = 0;
  EXPECT_TRUE(absl::SimpleAtoi(Output("date +%s"), &now));
  return now;
}

TEST(TrueProcess, IsAliveSinceItsStartThenAZombieAndThenGone) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const int64_t before = DateNow();
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    close(pipe_ends[1]);
    char byte;
    _exit(read(pipe_ends[0], &byte, 1) == 0 ? 0 : 1);
  }
  close(pipe_ends[0]);
  const ProcessFacts facts = ReadProcess({}, child).value();
  EXPECT_TRUE(facts.alive);
  // The boot time is cut to seconds, and moves by one.
  EXPECT_GE(absl::ToUnixSeconds(facts.started_at), before - 2);
  EXPECT_LE(absl::ToUnixSeconds(facts.started_at), DateNow() + 2);

  close(pipe_ends[1]);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT),
            0);
  EXPECT_FALSE(ReadProcess({}, child).value().alive);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(ReadProcess({}, child).value().alive);
}

}  // namespace
}  // namespace mc::agent
