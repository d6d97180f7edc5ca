// What the frames of a client may be, by the limit of its calls.
#ifndef MC_SERVICE_EDGE_FRAME_LIMITS_H_
#define MC_SERVICE_EDGE_FRAME_LIMITS_H_

namespace mc {
class Clock;
class Metrics;
}  // namespace mc

namespace mc::service {

// Guards what this process serves from now on (common/tls/guard_reads.h), and
// counts the connections that are ended. To be called before the first
// listener starts. `clock` and `metrics` outlive the listeners; then
// StopGuardingReads() is to be called.
void GuardFrames(double calls_per_second, const Clock* clock, Metrics* metrics);

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_FRAME_LIMITS_H_
