// Processes that end with SIGKILL at the worst moment.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "cluster-agent/outbox/fixture.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::LANE_BILLING;

void KillMyself() { kill(getpid(), SIGKILL); }

// Runs `work` in a process of its own; true: it ended by SIGKILL. The caller
// has no thread running: the outbox is closed.
bool IsKilled(const std::function<void()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    work();
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

TEST(Kill, AcknowledgedUsageIsThere) {
  OutboxFixture f;
  for (int i = 0; i < 20; ++i) {
    const std::string key = "key-" + std::to_string(i);
    ASSERT_TRUE(IsKilled([&] {
      Outbox& outbox = f.Open();
      outbox.RecordUsage({SessionsRecord(key, "env", 1, f.clock.Now())},
                         [](const auto& result) {
                           if (result.ok() && result->recorded == 1) {
                             KillMyself();
                           }
                         });
      f.Close();
    }));
  }
  f.Open();
  EXPECT_EQ(f.outbox().reader().Stats()->open_usage_records, 20);
  EXPECT_EQ(
      f.Record({SessionsRecord("key-7", "env", 1, f.clock.Now())})->repeated,
      1);
}

// Records what is to be closed in several frames, with 30 s frames.
void Fill(OutboxFixture& f, const Outbox::Options& options) {
  f.Open(options);
  ASSERT_TRUE(f.SetEnvironments({"env", "idle"}).ok());
  for (int i = 0; i < 4; ++i) {
    const absl::Time at = f.clock.Now() - absl::Seconds(30 * i);
    ASSERT_TRUE(
        f.Record({SessionsRecord("s" + std::to_string(i), "env", i + 1, at)})
            .ok());
  }
  ASSERT_TRUE(
      f.Record({HostRecord("h", "host", f.clock.Now() - absl::Seconds(100),
                           f.clock.Now() + absl::Seconds(80))})
          .ok());
  f.Close();
  f.clock.Advance(absl::Seconds(61));
}

std::vector<std::string> CloseAll(OutboxFixture& f,
                                  const Outbox::Options& options) {
  f.Open(options);
  EXPECT_TRUE(f.outbox().CloseFrames().ok());
  std::vector<std::string> requests;
  for (const OutboxReport& report : f.Waiting(LANE_BILLING)) {
    requests.push_back(report.request);
  }
  f.Close();
  return requests;
}

TEST(Kill, ClosingFramesConvergesFromEveryStep) {
  const auto options_of = [](const OutboxFixture& f) {
    Outbox::Options options = f.Options();
    options.frame_length = absl::Seconds(30);
    return options;
  };
  OutboxFixture undisturbed;
  Fill(undisturbed, options_of(undisturbed));
  const auto expected = CloseAll(undisturbed, options_of(undisturbed));
  ASSERT_GT(expected.size(), 4);

  bool killed = true;
  int steps = 0;
  for (; killed; ++steps) {
    OutboxFixture f;
    const Outbox::Options options = options_of(f);
    Fill(f, options);
    killed = IsKilled([&] {
      Outbox::Options failing = options;
      int left = steps;
      failing.failpoint = [&left](std::string_view) {
        if (left-- == 0) KillMyself();
      };
      f.Open(failing);
      if (!f.outbox().CloseFrames().ok()) _exit(1);
      f.Close();
    });
    EXPECT_EQ(CloseAll(f, options), expected) << "killed at step " << steps;
  }
  EXPECT_GT(steps, 20);
}

// Three reports, one of them acknowledged.
void FillReports(OutboxFixture& f) {
  f.Open();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(f.Record({SessionsRecord("k" + std::to_string(i), "env", 1,
                                         f.clock.Now())})
                    .ok());
    f.clock.Advance(absl::Hours(1));
    ASSERT_TRUE(f.outbox().CloseFrames().ok());
  }
  ASSERT_TRUE(f.Acknowledge(f.Waiting(LANE_BILLING)[0].key).ok());
  f.Close();
}

Outbox::Options KilledAt(const OutboxFixture& f, const std::string& step) {
  Outbox::Options options = f.Options();
  options.failpoint = [step](std::string_view at) {
    if (at == step) KillMyself();
  };
  return options;
}

TEST(Kill, BeforeTheCommitOfAReceiptTheReportIsSentAgain) {
  OutboxFixture f;
  FillReports(f);
  ASSERT_TRUE(IsKilled([&] {
    f.Open(KilledAt(f, "acknowledged"));
    f.Acknowledge(f.Waiting(LANE_BILLING)[0].key).IgnoreError();
  }));
  f.Open();
  EXPECT_EQ(f.Waiting(LANE_BILLING).size(), 2u);
}

TEST(Kill, ARestoredServiceIsKnownOnlyTogetherWithWhatIsSentAgain) {
  OutboxFixture f;
  FillReports(f);
  f.Open();
  const uint64_t epoch = f.Epoch(LANE_BILLING);
  missioncontrol::v1::LaneMark mark;
  mark.set_lane(LANE_BILLING);
  mark.set_epoch(epoch);
  const std::vector<missioncontrol::v1::LaneMark> marks = {mark};
  ASSERT_TRUE(f.outbox().ApplyWelcome(1, marks).ok());
  f.Close();
  ASSERT_TRUE(IsKilled([&] {
    f.Open(KilledAt(f, "welcome applied"));
    f.outbox().ApplyWelcome(2, marks).IgnoreError();
  }));
  f.Open();
  EXPECT_EQ(f.Waiting(LANE_BILLING).size(), 2u);
  const auto result = f.outbox().ApplyWelcome(2, marks);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->sent_again, 1);
  EXPECT_EQ(f.Waiting(LANE_BILLING).size(), 3u);
}

}  // namespace
}  // namespace mc::agent
