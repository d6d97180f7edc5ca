#include "common/failpoint/failpoint.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"

namespace mc::failpoint {
namespace {

enum class Action { kKill, kDelay, kError, kCount };

struct Point {
  Action action = Action::kCount;
  std::string action_name;
  int64_t delay_ms = 0;
  // 0: every time.
  int64_t at = 0;
  double percent = 100;
  int64_t reached = 0;
};

[[noreturn]] void Unreadable(const std::string& text) {
  fprintf(stderr, "MC_FAILPOINTS cannot be read at \"%s\"\n", text.c_str());
  abort();
}

Point Parse(const std::string& text) {
  Point point;
  std::string action = text;
  if (const size_t mark = action.find('@'); mark != std::string::npos) {
    if (!absl::SimpleAtoi(action.substr(mark + 1), &point.at) || point.at < 1) {
      Unreadable(text);
    }
    action.resize(mark);
  } else if (const size_t share = action.find('%');
             share != std::string::npos) {
    if (!absl::SimpleAtod(action.substr(share + 1), &point.percent)) {
      Unreadable(text);
    }
    action.resize(share);
  }
  point.action_name = action;
  if (action == "kill") {
    point.action = Action::kKill;
  } else if (action == "error") {
    point.action = Action::kError;
  } else if (action == "count") {
    point.action = Action::kCount;
  } else if (action.rfind("delay:", 0) == 0 &&
             absl::SimpleAtoi(action.substr(6), &point.delay_ms)) {
    point.action = Action::kDelay;
  } else {
    Unreadable(text);
  }
  return point;
}

class Points {
 public:
  Points() { Load(); }

  void Load() {
    absl::MutexLock lock(&mutex_);
    points_.clear();
    const char* file = getenv("MC_FAILPOINTS_FILE");
    file_ = file == nullptr ? "" : file;
    const char* text = getenv("MC_FAILPOINTS");
    const std::string wanted = text == nullptr ? "" : text;
    for (absl::string_view part :
         absl::StrSplit(wanted, ',', absl::SkipWhitespace())) {
      const std::pair<std::string, std::string> named =
          absl::StrSplit(part, absl::MaxSplits('=', 1));
      if (named.first.empty()) Unreadable(std::string(part));
      points_[named.first] = Parse(named.second);
    }
    active_ = !points_.empty();
  }

  absl::Status Reach(std::string_view name) {
    if (!active_.load(std::memory_order_relaxed)) return absl::OkStatus();
    Point happens;
    {
      absl::MutexLock lock(&mutex_);
      const auto found = points_.find(name);
      if (found == points_.end()) return absl::OkStatus();
      Point& point = found->second;
      ++point.reached;
      if (point.at != 0 && point.reached != point.at) return absl::OkStatus();
      if (point.percent < 100 &&
          std::uniform_real_distribution<>(0, 100)(random_) >= point.percent) {
        return absl::OkStatus();
      }
      happens = point;
      Note(absl::StrCat(found->first, " ", point.action_name, "\n"));
    }
    switch (happens.action) {
      case Action::kKill:
        kill(getpid(), SIGKILL);
        // Until the signal has arrived.
        while (true) pause();
      case Action::kDelay: {
        const timespec delay = {happens.delay_ms / 1000,
                                happens.delay_ms % 1000 * 1'000'000};
        nanosleep(&delay, nullptr);
        break;
      }
      case Action::kError:
        return absl::UnavailableError(
            absl::StrCat("the test lets ", Found(name), " fail"));
      case Action::kCount:
        break;
    }
    return absl::OkStatus();
  }

 private:
  static absl::string_view Found(std::string_view name) {
    return {name.data(), name.size()};
  }

  // In the page cache when it returns: it outlives the process.
  void Note(const std::string& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (file_.empty()) return;
    const int file =
        open(file_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || write(file, line.data(), line.size()) !=
                        static_cast<ssize_t>(line.size())) {
      fprintf(stderr, "MC_FAILPOINTS_FILE cannot be written\n");
      abort();
    }
    close(file);
  }

  absl::Mutex mutex_;
  std::map<std::string, Point, std::less<>> points_ ABSL_GUARDED_BY(mutex_);
  std::string file_ ABSL_GUARDED_BY(mutex_);
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_){std::random_device()()};
  std::atomic<bool> active_ = false;
};

// Never destroyed: threads reach points until the process has ended.
Points& ThePoints() {
  static Points* const points = new Points;
  return *points;
}

}  // namespace

absl::Status Reach(std::string_view name) { return ThePoints().Reach(name); }

void Reset() { ThePoints().Load(); }

}  // namespace mc::failpoint
