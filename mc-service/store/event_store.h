// The store's part for what clusters tell when it happens.
#ifndef MC_SERVICE_STORE_EVENT_STORE_H_
#define MC_SERVICE_STORE_EVENT_STORE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/store/types.h"
#include "missioncontrol/v1/events.pb.h"

namespace mc::service {

// Its key is cluster and event ID.
struct StoredEvent {
  std::string cluster_id;
  absl::Time received_at;
  v1::ClusterEvent event;
};

// All that is given must hold.
struct EventFilter {
  // Empty: any.
  std::string cluster_id = {};
  // Unspecified: any.
  v1::ClusterEventType type = v1::CLUSTER_EVENT_TYPE_UNSPECIFIED;
  // At least.
  v1::Severity severity = v1::SEVERITY_UNSPECIFIED;
};

// Reports of the lane EVENTS that a cluster declared as dropped.
struct DroppedEvents {
  std::string cluster_id;
  uint64_t epoch = 0;
  uint64_t first_sequence = 0;
  uint64_t last_sequence = 0;
  absl::Time declared_at;
};

// As Reader and Writer in store.h, which are made of these.
class EventReader {
 public:
  virtual ~EventReader() = default;

  // Newest first, by when they were stored.
  virtual absl::StatusOr<Paged<StoredEvent>> ListEvents(
      const EventFilter& filter, const Page& page) = 0;
  // Empty cluster: of all.
  virtual absl::StatusOr<Paged<DroppedEvents>> ListDroppedEvents(
      std::string_view cluster_id, const Page& page) = 0;
};

class EventWriter {
 public:
  virtual ~EventWriter() = default;

  // ALREADY_EXISTS when the cluster has told an event with this ID before.
  virtual absl::Status InsertEvent(const StoredEvent& event) = 0;
  // A range with the same cluster, epoch and start is replaced.
  virtual absl::Status PutDroppedEvents(const DroppedEvents& dropped) = 0;
};

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_EVENT_STORE_H_
