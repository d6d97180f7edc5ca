// The power fails at every sync: what was acknowledged is there.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "cluster-agent/outbox/fixture.h"
#include "common/files/files.h"
#include "common/files/temp_dir.h"
#include "common/sqlite/testing/power_loss_vfs.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::LANE_BILLING;
using sqlite::testing::kLosses;
using sqlite::testing::PowerLossVfs;

// What the product and the service know of one outbox. Thread-safe.
class Model {
 public:
  void Submitted() {
    absl::MutexLock lock(&mutex_);
    ++submitted_;
  }
  void Acknowledged() {
    absl::MutexLock lock(&mutex_);
    ++acknowledged_;
  }
  // The service may have seen these bytes.
  void Sent(const OutboxReport& report) {
    absl::MutexLock lock(&mutex_);
    sent_.emplace(std::pair(report.key.epoch, report.key.sequence),
                  report.request);
  }
  // A receipt is on its way into the outbox, or is there.
  void Confirming(const ReportKey& key, int64_t sessions) {
    absl::MutexLock lock(&mutex_);
    confirmed_.emplace(std::pair(key.epoch, key.sequence), sessions);
  }

  // Judges what an outbox has after the power was lost.
  void Judge(const std::map<std::pair<uint64_t, uint64_t>,
                            std::pair<std::string, int64_t>>& reports) {
    absl::MutexLock lock(&mutex_);
    int64_t total = 0;
    for (const auto& [key, report] : reports) {
      total += report.second;
      const auto sent = sent_.find(key);
      if (sent == sent_.end()) continue;
      EXPECT_EQ(sent->second, report.first)
          << "sequence " << key.second << " has another meaning";
    }
    // What has its receipt may be gone.
    for (const auto& [key, sessions] : confirmed_) {
      if (!reports.contains(key)) total += sessions;
    }
    EXPECT_GE(total, acknowledged_) << "lost";
    EXPECT_LE(total, submitted_) << "doubled";
  }

 private:
  absl::Mutex mutex_;
  int64_t submitted_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t acknowledged_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::pair<uint64_t, uint64_t>, std::string> sent_
      ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<uint64_t, uint64_t>, int64_t> confirmed_
      ABSL_GUARDED_BY(mutex_);
};

int64_t SessionsOf(const OutboxReport& report) {
  int64_t sessions = 0;
  const auto envelope = EnvelopeOf(report);
  for (const auto& environment : envelope.consumption().environments()) {
    sessions += environment.rum_sessions();
  }
  return sessions;
}

void Record(OutboxFixture& f, Model& model, const std::string& key) {
  absl::Notification finished;
  model.Submitted();
  f.outbox().RecordUsage({SessionsRecord(key, "env", 1, f.clock.Now())},
                         [&](const auto& result) {
                           EXPECT_TRUE(result.ok()) << result.status();
                           model.Acknowledged();
                           finished.Notify();
                         });
  finished.WaitForNotification();
}

TEST(PowerLoss, AtEverySyncWhatWasAcknowledgedIsThere) {
  OutboxFixture f;
  TempDir images;
  const std::string image = images.File("image");
  Model model;
  std::atomic<bool> armed = false;
  PowerLossVfs* power = nullptr;
  uint64_t failures = 0;
  const auto fail = [&] {
    if (!armed) return;
    // Its own clock: the hour has passed when the machine is up again.
    OutboxFixture after(f.clock.Now() + absl::Hours(1));
    power->MakeImage(image, kLosses[failures % std::size(kLosses)], failures);
    ++failures;
    Outbox::Options options = after.Options();
    options.path = image + "/usage.db";
    after.Open(options);
    ASSERT_TRUE(after.outbox().CloseFrames().ok());
    std::map<std::pair<uint64_t, uint64_t>, std::pair<std::string, int64_t>>
        reports;
    for (const OutboxReport& report : after.Waiting(LANE_BILLING)) {
      reports[{report.key.epoch, report.key.sequence}] = {report.request,
                                                          SessionsOf(report)};
    }
    EXPECT_TRUE(after.damage.empty()) << after.damage.front();
    model.Judge(reports);
    after.Close();
  };
  {
    PowerLossVfs vfs(DirectoryOf(f.path()), fail);
    power = &vfs;
    Outbox::Options options = f.Options();
    options.frame_length = absl::Seconds(30);
    f.Open(options);
    ASSERT_TRUE(f.SetEnvironments({"env"}).ok());
    armed = true;
    int recorded = 0;
    for (int frame = 0; frame < 6; ++frame) {
      for (int i = 0; i < 8; ++i) {
        Record(f, model, "key-" + std::to_string(++recorded));
      }
      f.clock.Advance(absl::Seconds(31));
      ASSERT_TRUE(f.outbox().CloseFrames().ok());
      for (const OutboxReport& report : f.Waiting(LANE_BILLING)) {
        model.Sent(report);
        if (report.key.sequence % 2 == 0) continue;
        model.Confirming(report.key, SessionsOf(report));
        ASSERT_TRUE(f.Acknowledge(report.key).ok());
      }
      // The log is written back into the file, and begins anew.
      f.Close();
      f.Open(options);
    }
    f.Close();
    armed = false;
  }
  EXPECT_GT(failures, 100U);
  printf("the power failed %d times\n", static_cast<int>(failures));
}

}  // namespace
}  // namespace mc::agent
