#include "cluster-agent/domain/license/contact.h"

#include <algorithm>

#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using ::missioncontrol::config::v1::AgentContact;

// A file's value that is none counts as nothing.
absl::Duration DurationOf(const google::protobuf::Duration& duration) {
  return std::max(absl::ZeroDuration(),
                  FromProto(duration).value_or(absl::ZeroDuration()));
}

absl::Time TimeOf(bool present, const google::protobuf::Timestamp& time) {
  if (!present) return absl::InfinitePast();
  return FromProto(time).value_or(absl::InfinitePast());
}

}  // namespace

LicenseSituation SituationOf(const AgentContact& kept) {
  LicenseSituation situation;
  situation.now = TimeOf(kept.has_noted_at(), kept.noted_at());
  situation.offline = DurationOf(kept.offline());
  situation.service_time_passed =
      TimeOf(kept.has_service_time(), kept.service_time());
  if (kept.has_service_time() && kept.has_contact_since_boot() &&
      kept.has_noted_since_boot()) {
    situation.anchored = situation.service_time_passed +
                         std::max(absl::ZeroDuration(),
                                  DurationOf(kept.noted_since_boot()) -
                                      DurationOf(kept.contact_since_boot()));
  }
  return situation;
}

AgentContact ContactOf(absl::Time verified_at, absl::Time service_time) {
  AgentContact contact;
  *contact.mutable_contact_at() = ToProto(verified_at);
  *contact.mutable_noted_at() = ToProto(verified_at);
  *contact.mutable_service_time() = ToProto(service_time);
  return contact;
}

void Contact::Restore(const AgentContact& kept) {
  const LicenseSituation then = SituationOf(kept);
  const absl::Duration since_boot = clock_->SinceBoot();
  const absl::Duration noted = DurationOf(kept.noted_since_boot());
  ever_ = true;
  contact_at_ = std::max(TimeOf(kept.has_contact_at(), kept.contact_at()),
                         absl::UnixEpoch());
  passed_ = then.anchored.value_or(then.service_time_passed);
  const bool same_boot = !boot_id_.empty() && kept.boot_id() == boot_id_ &&
                         kept.has_noted_since_boot() && noted <= since_boot;
  if (same_boot) {
    offline_ = then.offline + (since_boot - noted);
    if (then.anchored.has_value()) anchor_ = {*then.anchored, noted};
  } else {
    offline_ = then.offline;
    if (then.now != absl::InfinitePast()) {
      offline_ += std::max(absl::ZeroDuration(), clock_->Now() - then.now);
    }
    anchor_.reset();
  }
  offline_as_of_ = since_boot;
}

void Contact::Reached(absl::Time service_time) {
  ever_ = true;
  contact_at_ = clock_->Now();
  offline_ = absl::ZeroDuration();
  offline_as_of_ = clock_->SinceBoot();
  anchor_ = {service_time, offline_as_of_};
  passed_ = service_time;
}

absl::Duration Contact::Offline() const {
  return offline_ + (clock_->SinceBoot() - offline_as_of_);
}

std::optional<absl::Time> Contact::Anchored() const {
  if (!anchor_.has_value()) return std::nullopt;
  return anchor_->service_time + (clock_->SinceBoot() - anchor_->since_boot);
}

LicenseSituation Contact::Situation() const {
  return {.license = nullptr,
          .now = clock_->Now(),
          .anchored = Anchored(),
          .service_time_passed = passed_,
          .offline = Offline(),
          .unreachable = false};
}

AgentContact Contact::Note() const {
  AgentContact note;
  note.set_boot_id(boot_id_);
  *note.mutable_contact_at() = ToProto(contact_at_);
  *note.mutable_noted_at() = ToProto(clock_->Now());
  *note.mutable_noted_since_boot() = ToProto(clock_->SinceBoot());
  *note.mutable_offline() = ToProto(Offline());
  if (anchor_.has_value()) {
    *note.mutable_service_time() = ToProto(anchor_->service_time);
    *note.mutable_contact_since_boot() = ToProto(anchor_->since_boot);
  } else if (passed_ != absl::InfinitePast()) {
    *note.mutable_service_time() = ToProto(passed_);
  }
  return note;
}

}  // namespace mc::agent
