#include "cluster-agent/domain/mastership/other_master.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

// A Hello is that much older, at most, when it is looked at.
constexpr absl::Duration kTransit = absl::Seconds(5);

constexpr char kClone[] =
    "another agent runs with this cluster's identity; stop one of the two. If "
    "this machine or its state was copied, give the copy an empty "
    "state_directory: it then is a cluster of its own";

}  // namespace

void OtherMaster::StreamEnded(v1::ErrorReason reason) {
  absl::MutexLock lock(&mutex_);
  if (reason == v1::ERROR_REASON_SUPERSEDED) {
    const bool again = Recent(superseded_at_);
    superseded_at_ = clock_->SinceBoot();
    if (again) See(kClone);
  } else if (reason == v1::ERROR_REASON_CLONE_SUSPECTED) {
    See(kClone);
  }
}

void OtherMaster::SeenByNode(std::string_view instance_id) {
  absl::MutexLock lock(&mutex_);
  See(absl::StrCat("another agent (instance ",
                   absl::string_view(instance_id.data(), instance_id.size()),
                   ") answers this site's nodes as their master; stop one of "
                   "the two"));
}

void OtherMaster::See(std::string text) {
  if (!Recent(seen_at_)) {
    LogWarning("two masters", {{"detail", text}});
  }
  seen_at_ = clock_->SinceBoot();
  text_ = std::move(text);
}

std::string OtherMaster::Text() const {
  absl::MutexLock lock(&mutex_);
  return Recent(seen_at_) ? text_ : "";
}

bool IsOtherMaster(const v1::NodeHello& hello, std::string_view own_instance_id,
                   absl::Duration silent_after, absl::Duration since_start) {
  if (hello.last_master_instance_id().empty() ||
      hello.last_master_instance_id() == own_instance_id) {
    return false;
  }
  const absl::StatusOr<absl::Duration> age =
      FromProto(hello.last_master_contact_age());
  return age.ok() && *age >= absl::ZeroDuration() && *age < silent_after &&
         *age + kTransit < since_start;
}

}  // namespace mc::agent
