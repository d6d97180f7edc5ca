#include "mc-service/api/stream_registry.h"

#include <algorithm>
#include <vector>

#include "absl/time/time.h"
#include "common/status/status.h"
#include "missioncontrol/v1/errors.pb.h"

namespace mc::service {
namespace {

namespace v1 = missioncontrol::v1;

// Between those that come back after the service has stopped.
constexpr absl::Duration kReturnInterval = absl::Milliseconds(2);
constexpr absl::Duration kLongestReturn = absl::Minutes(1);
// For one that has too many streams open.
constexpr absl::Duration kReopenDelay = absl::Seconds(5);

absl::Status Stopping() {
  return Error(absl::StatusCode::kUnavailable, v1::ERROR_REASON_OVERLOADED,
               "the service is stopping; reconnect");
}

absl::Status TooManyOpen() {
  return WithRetryDelay(
      Error(absl::StatusCode::kResourceExhausted, v1::ERROR_REASON_RATE_LIMITED,
            "this caller has as many of these streams open as it may"),
      kReopenDelay);
}

absl::Status Superseded() {
  return Error(absl::StatusCode::kAborted, v1::ERROR_REASON_SUPERSEDED,
               "a newer heartbeat stream of this cluster replaced this one");
}

absl::Status Cloned() {
  return Error(absl::StatusCode::kAborted, v1::ERROR_REASON_CLONE_SUSPECTED,
               "two agents beat in turn for this cluster; stop one of them");
}

}  // namespace

absl::StatusOr<StreamRegistry::Id> StreamRegistry::Add(StreamKind kind,
                                                       std::string_view owner,
                                                       End end, Tick tick,
                                                       size_t max_open) {
  // Streams are ended without the lock: they may come back to the registry.
  std::vector<End> superseded;
  Id id = 0;
  {
    absl::MutexLock lock(&mutex_);
    if (draining_) return Stopping();
    const auto [first, last] = by_owner_.equal_range(owner);
    size_t open = 0;
    for (auto it = first; it != last; ++it) {
      const Entry& other = entries_.at(it->second);
      if (other.kind != kind) continue;
      ++open;
      if (kind == StreamKind::kHeartbeats) superseded.push_back(other.end);
    }
    if (max_open != 0 && open >= max_open) return TooManyOpen();
    id = ++last_id_;
    entries_.try_emplace(
        id, Entry{kind, std::string(owner), std::move(end), std::move(tick)});
    by_owner_.emplace(owner, id);
    ++counts_[kind];
  }
  if (!superseded.empty()) {
    const bool clone = clone_suspected_ && clone_suspected_(owner);
    const absl::Status why = clone ? Cloned() : Superseded();
    for (const End& other : superseded) other(why);
  }
  return id;
}

void StreamRegistry::Remove(Id id) {
  End end;
  Tick tick;
  absl::MutexLock lock(&mutex_);
  const auto entry = entries_.find(id);
  if (entry == entries_.end()) return;
  const auto [first, last] = by_owner_.equal_range(entry->second.owner);
  for (auto it = first; it != last; ++it) {
    if (it->second != id) continue;
    by_owner_.erase(it);
    break;
  }
  --counts_[entry->second.kind];
  end = std::move(entry->second.end);
  tick = std::move(entry->second.tick);
  entries_.erase(entry);
}

void StreamRegistry::Drain() {
  std::vector<End> all;
  {
    absl::MutexLock lock(&mutex_);
    draining_ = true;
    for (const auto& [id, entry] : entries_) all.push_back(entry.end);
  }
  // They do not come back all at once.
  absl::Duration delay;
  for (const End& end : all) {
    end(WithRetryDelay(Stopping(), delay));
    delay = std::min(delay + kReturnInterval, kLongestReturn);
  }
}

void StreamRegistry::EndStreamsOf(std::string_view owner,
                                  const absl::Status& status) {
  std::vector<End> ends;
  {
    absl::MutexLock lock(&mutex_);
    const auto [first, last] = by_owner_.equal_range(owner);
    for (auto it = first; it != last; ++it) {
      ends.push_back(entries_.at(it->second).end);
    }
  }
  for (const End& end : ends) end(status);
}

void StreamRegistry::TickAll() const {
  std::vector<Tick> ticks;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, entry] : entries_) {
      if (entry.tick) ticks.push_back(entry.tick);
    }
  }
  for (const Tick& tick : ticks) tick();
}

size_t StreamRegistry::Count(StreamKind kind) const {
  absl::MutexLock lock(&mutex_);
  const auto it = counts_.find(kind);
  return it == counts_.end() ? 0 : it->second;
}

}  // namespace mc::service
