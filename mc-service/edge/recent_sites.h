// Which sites had a connection lately.
#ifndef MC_SERVICE_EDGE_RECENT_SITES_H_
#define MC_SERVICE_EDGE_RECENT_SITES_H_

#include <cstddef>
#include <iterator>
#include <list>
#include <map>
#include <utility>

#include "absl/time/time.h"
#include "mc-service/edge/address.h"

namespace mc::service {

// Forgets the one that was longest ago when there are too many. Not
// thread-safe.
class RecentSites {
 public:
  explicit RecentSites(size_t max = 50'000,
                       absl::Duration kept = absl::Hours(1))
      : max_(max), kept_(kept) {}

  // Times in ascending order.
  void Add(const IpAddress& site, absl::Duration now) {
    const auto found = by_site_.find(site);
    if (found != by_site_.end()) order_.erase(found->second);
    order_.emplace_back(site, now);
    by_site_[site] = std::prev(order_.end());
    if (order_.size() <= max_) return;
    by_site_.erase(order_.front().first);
    order_.pop_front();
  }

  bool Has(const IpAddress& site, absl::Duration now) const {
    const auto found = by_site_.find(site);
    return found != by_site_.end() && now - found->second->second <= kept_;
  }

 private:
  using Order = std::list<std::pair<IpAddress, absl::Duration>>;

  const size_t max_;
  const absl::Duration kept_;
  // The one that came last at the end.
  Order order_;
  std::map<IpAddress, Order::iterator> by_site_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_RECENT_SITES_H_
