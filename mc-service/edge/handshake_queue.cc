#include "mc-service/edge/handshake_queue.h"

#include <algorithm>

namespace mc::service {
namespace {

// Strangers have one of so many turns and places at least.
constexpr int kShares = 4;

}  // namespace

HandshakeQueue::HandshakeQueue(const Options& options)
    : options_(options),
      interval_(absl::Seconds(1) / options.per_second),
      burst_(std::max(absl::Milliseconds(100), interval_)) {}

std::optional<uint64_t> HandshakeQueue::Push(uint64_t id, const IpAddress& site,
                                             bool known) {
  waiting_.emplace(id, Waiting{site, known});
  (known ? known_ : strangers_).push_back(id);
  if (waiting_.size() <= options_.max_waiting) return std::nullopt;
  const uint64_t victim = ChooseVictim();
  Forget(victim);
  return victim;
}

// Whole lists are looked through here and below: they are short.
uint64_t HandshakeQueue::LastOfBusiestSite(
    const std::list<uint64_t>& ids) const {
  std::map<IpAddress, int> waiting_of;
  for (const uint64_t id : ids) ++waiting_of[waiting_.at(id).site];
  const auto most = std::max_element(
      waiting_of.begin(), waiting_of.end(),
      [](const auto& a, const auto& b) { return a.second < b.second; });
  return *std::find_if(ids.rbegin(), ids.rend(), [&](uint64_t id) {
    return waiting_of.at(waiting_.at(id).site) == most->second;
  });
}

uint64_t HandshakeQueue::ChooseVictim() const {
  const bool few = strangers_.size() <= options_.max_waiting / kShares;
  return LastOfBusiestSite(
      strangers_.empty() || (few && !known_.empty()) ? known_ : strangers_);
}

uint64_t HandshakeQueue::FirstOfIdlestSite(
    const std::list<uint64_t>& ids) const {
  const auto load = [this](uint64_t id) {
    const auto it = under_way_of_.find(waiting_.at(id).site);
    return it == under_way_of_.end() ? 0 : it->second;
  };
  return *std::min_element(ids.begin(), ids.end(), [&](uint64_t a, uint64_t b) {
    return load(a) < load(b);
  });
}

uint64_t HandshakeQueue::ChooseNext() {
  if (strangers_.empty()) return FirstOfIdlestSite(known_);
  if (!known_.empty() && ++turns_ < kShares) return FirstOfIdlestSite(known_);
  turns_ = 0;
  return FirstOfIdlestSite(strangers_);
}

std::optional<uint64_t> HandshakeQueue::Pop(absl::Duration now) {
  DropStalled(now);
  if (waiting_.empty() ||
      under_way_.size() >= static_cast<size_t>(options_.max_under_way)) {
    return std::nullopt;
  }
  const absl::Duration full_at = std::max(full_at_, now) + interval_;
  if (full_at > now + burst_) return std::nullopt;
  full_at_ = full_at;
  const uint64_t id = ChooseNext();
  const IpAddress site = waiting_.at(id).site;
  Forget(id);
  under_way_.emplace(id, site);
  ++under_way_of_[site];
  began_.emplace_back(now, id);
  return id;
}

void HandshakeQueue::Remove(uint64_t id) {
  const auto it = under_way_.find(id);
  if (it == under_way_.end()) return Forget(id);
  const auto site = under_way_of_.find(it->second);
  if (--site->second == 0) under_way_of_.erase(site);
  under_way_.erase(it);
}

void HandshakeQueue::Forget(uint64_t id) {
  const auto it = waiting_.find(id);
  if (it == waiting_.end()) return;
  (it->second.known ? known_ : strangers_).remove(id);
  waiting_.erase(it);
}

void HandshakeQueue::DropStalled(absl::Duration now) {
  while (!began_.empty() &&
         (now - began_.front().first >= options_.stalled_after ||
          !under_way_.contains(began_.front().second))) {
    Remove(began_.front().second);
    began_.pop_front();
  }
}

absl::Duration HandshakeQueue::NextAt(absl::Duration now) const {
  if (waiting_.empty()) return absl::InfiniteDuration();
  if (under_way_.size() >= static_cast<size_t>(options_.max_under_way)) {
    // The first may be over already: then it is asked too early.
    return began_.front().first + options_.stalled_after;
  }
  return std::max(now, full_at_ + interval_ - burst_);
}

}  // namespace mc::service
