// How a program ends: on a signal, in order.
#ifndef COMMON_LIFECYCLE_LIFECYCLE_H_
#define COMMON_LIFECYCLE_LIFECYCLE_H_

#include <cstdint>

namespace mc {

// Waits for SIGTERM or SIGINT. To be made before any thread starts, for the
// signals are blocked in this thread and those that it starts. Also ignores
// SIGPIPE. Children that are started should unblock them.
class StopSignal {
 public:
  StopSignal();

  // Returns at the first SIGTERM or SIGINT, or after RequestStop(). From then
  // on a second signal ends the process at once with exit code 130.
  void Wait();

  // Ends Wait(). Does nothing when it has ended, or will, already: only a
  // signal from outside hurries the end. Thread-safe.
  static void RequestStop();
};

// Raises the limit of open descriptors to what the system allows this process,
// and returns it.
int64_t RaiseDescriptorLimit();

// How many descriptors are open.
int64_t OpenDescriptors();

}  // namespace mc

#endif  // COMMON_LIFECYCLE_LIFECYCLE_H_
