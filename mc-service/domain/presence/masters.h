// Which agents spoke for a cluster, one after the other.
#ifndef MC_SERVICE_DOMAIN_PRESENCE_MASTERS_H_
#define MC_SERVICE_DOMAIN_PRESENCE_MASTERS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace mc::service {

// A restart and a hand-over each bring an instance that was never seen before.
// One that comes back after another had taken over was there all along: two
// agents have one identity. Thread-compatible.
class Masters {
 public:
  enum class Verdict {
    kUsual,
    // Two agents speak in turn; the first time in this window.
    kCloneBegins,
    kCloneGoesOn,
  };

  // `instance` begins to speak. It is a clone when another took over from it,
  // within `window` before now. Not for each beat.
  Verdict Speaks(std::string_view instance, absl::Time at,
                 absl::Duration window);

  // Whether two were seen in the window before `at`.
  bool Suspected(absl::Time at, absl::Duration window) const {
    return at - suspected_at_ <= window;
  }
  // absl::InfinitePast(): never.
  absl::Time suspected_at() const { return suspected_at_; }

  // Those that were seen to take turns, in the last occurrence.
  const std::vector<std::string>& suspects() const { return suspects_; }

  // The suspicion was wrong, or is over; who spoke last stays.
  void EndSuspicion();

  // Who spoke last; empty before the first.
  const std::string& instance() const { return instance_; }

 private:
  struct Past {
    std::string instance;
    // When another took over.
    absl::Time until;
  };

  void Suspect(std::string_view instance);

  std::string instance_;
  // The oldest first.
  std::vector<Past> past_;
  absl::Time suspected_at_ = absl::InfinitePast();
  std::vector<std::string> suspects_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_PRESENCE_MASTERS_H_
