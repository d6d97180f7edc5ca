// The outbox's functions for events.
#include <sys/statvfs.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/outbox/event_rows.h"
#include "cluster-agent/outbox/outbox.h"
#include "cluster-agent/outbox/reader.h"
#include "cluster-agent/outbox/rows.h"
#include "common/status/status.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::ClusterEvent;
using missioncontrol::v1::ClusterEventType;
using missioncontrol::v1::RecordedEvent;
using sqlite::Database;
using sqlite::Statement;

constexpr int kDefaultPageSize = 100;
constexpr int kMaxPageSize = 1000;

}  // namespace

void Outbox::RecordEvents(std::vector<ClusterEvent> events, EventsDone done) {
  auto result = std::make_shared<RecordEventsResult>();
  // Here, and not by a failed write, which would take the usage of the same
  // transaction with it.
  if (!HasRoomForEvents()) {
    const absl::Status full =
        Error(absl::StatusCode::kResourceExhausted,
              missioncontrol::v1::ERROR_REASON_STORE_UNAVAILABLE,
              "the disk is nearly full; events are not kept, so that usage is");
    ObserveDisk(full);
    return done(full);
  }
  SubmitIntake(
      Intake::kTelemetry,
      [this, events = std::move(events), result](Database& database) {
        absl::StatusOr<RecordEventsResult> inserted = InsertEvents(
            database, events, options_.send_events, options_.max_events);
        if (inserted.ok()) *result = *inserted;
        return inserted.status();
      },
      [this, result, done = std::move(done)](absl::Status status) {
        if (!status.ok()) return done(std::move(status));
        if (result->recorded > 0) events_wait_ = true;
        done(*result);
      });
}

void Outbox::PackWaitingEvents() {
  if (!options_.send_events || !events_wait_.exchange(false)) return;
  const absl::Time now = options_.clock->Now();
  int64_t dropped = 0;
  const absl::Status status = writer_->Run([&](Database& database) {
    if (!HasRoomForEvents()) {
      return absl::ResourceExhaustedError("the disk is nearly full");
    }
    const absl::StatusOr<int64_t> declared =
        PackEvents(database, options_.cluster_id, now,
                   MaxEventsPerReport(options_.max_events), options_.on_damage);
    dropped = declared.value_or(0);
    return declared.status();
  });
  // What is worth telling of the disk is told by ObserveDisk; other lanes must
  // not wait for events.
  if (!status.ok()) {
    events_wait_ = true;
  } else if (dropped > 0 && options_.on_events_dropped) {
    options_.on_events_dropped(dropped);
  }
}

bool Outbox::HasRoomForEvents() const {
  struct statvfs space;
  if (statvfs(options_.path.c_str(), &space) != 0) return true;
  return static_cast<double>(space.f_bavail) *
             static_cast<double>(space.f_frsize) >=
         static_cast<double>(options_.event_floor_bytes);
}

void Outbox::ObserveDisk(const absl::Status& status) {
  const bool full = absl::IsResourceExhausted(status);
  // Other errors say nothing about space.
  if (!full && !status.ok()) return;
  if (disk_full_.exchange(full) != full && options_.on_disk_full) {
    options_.on_disk_full(full);
  }
}

absl::StatusOr<ListedEvents> OutboxReader::ListEvents(
    int page_size, std::string_view page_token) const {
  int64_t before = INT64_MAX;
  if (!page_token.empty() &&
      (!absl::SimpleAtoi(
           absl::string_view(page_token.data(), page_token.size()), &before) ||
       before < 1)) {
    return InvalidField("page_token", "is not one that a page gave");
  }
  if (page_size < 0) return InvalidField("page_size", "cannot be negative");
  if (page_size == 0) page_size = kDefaultPageSize;
  const size_t size = std::min(page_size, kMaxPageSize);
  ListedEvents page;
  int64_t last = 0;
  size_t rows = 0;
  absl::MutexLock lock(&mutex_);
  absl::Status status = QueryAll(
      *database_,
      "SELECT id, state, payload, sha256 FROM event WHERE id < ? "
      "ORDER BY id DESC LIMIT ?",
      [&](Statement& row) {
        if (++rows > size) return;
        const std::string bytes = row.BlobBytes(2);
        RecordedEvent event;
        last = row.Int64(0);
        // A damaged one has nothing to show; it was told when it was found.
        if (row.BlobBytes(3) != RowSum(bytes, {}) ||
            !event.mutable_event()->ParseFromString(bytes)) {
          return;
        }
        event.set_acknowledged(static_cast<EventState>(row.Int64(1)) ==
                               EventState::kAcknowledged);
        page.events.push_back(std::move(event));
      },
      before, size + 1);
  if (!status.ok()) return status;
  if (rows > size) page.next_page_token = absl::StrCat(last);
  return page;
}

absl::StatusOr<ClusterEvent> OutboxReader::LastEvent(
    std::initializer_list<ClusterEventType> types) const {
  ClusterEvent found;
  int64_t newest = 0;
  absl::MutexLock lock(&mutex_);
  for (const ClusterEventType type : types) {
    const absl::StatusOr<bool> row = QueryOne(
        *database_,
        "SELECT id, payload FROM event WHERE type = ? "
        "ORDER BY id DESC LIMIT 1",
        [&](Statement& r) {
          ClusterEvent event;
          if (r.Int64(0) > newest && event.ParseFromString(r.BlobBytes(1))) {
            newest = r.Int64(0);
            found = std::move(event);
          }
        },
        type);
    if (!row.ok()) return row.status();
  }
  if (newest == 0) return absl::NotFoundError("there is no such event");
  return found;
}

}  // namespace mc::agent
