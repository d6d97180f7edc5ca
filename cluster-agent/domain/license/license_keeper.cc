#include "cluster-agent/domain/license/license_keeper.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
namespace config = missioncontrol::config::v1;

// How much offline time a machine can lose that stops at once, and whose clock
// is set back before it starts again.
constexpr absl::Duration kNoteInterval = absl::Minutes(5);
// After an executor that was full.
constexpr absl::Duration kTryAgain = absl::Seconds(1);

// What a watcher would call a change: not the times that move with every
// contact.
std::string Shown(const std::optional<v1::LicenseDocument>& license,
                  v1::LicenseAnswer answer) {
  answer.clear_offline();
  answer.clear_until();
  std::string text = answer.SerializeAsString();
  if (license.has_value()) {
    v1::LicenseDocument document = *license;
    document.clear_issued_at();
    absl::StrAppend(&text, "\n", document.SerializeAsString());
  }
  return text;
}

// The service's time when it answered; what it signed says it, too.
absl::Time ServiceTime(const v1::CheckLicenseResponse& answer,
                       absl::Time otherwise) {
  if (answer.has_service_time()) {
    const auto time = FromProto(answer.service_time());
    if (time.ok()) return *time;
  }
  return FromProto(answer.license().issued_at()).value_or(otherwise);
}

void WarnAbout(const char* what, const absl::Status& status) {
  LogWarning(what, {{"detail", std::string(status.message())}});
}

}  // namespace

LicenseKeeper::LicenseKeeper(Options options)
    : options_(std::move(options)),
      contact_(options_.clock, options_.boot_id),
      noted_(options_.clock->SinceBoot()) {
  absl::MutexLock lock(&mutex_);
  shown_ = Shown(license_, JudgeLicense(Situation()));
}

LicenseSituation LicenseKeeper::Situation() const {
  LicenseSituation situation = contact_.Situation();
  situation.license = license_.has_value() ? &*license_ : nullptr;
  situation.unreachable = unreachable_;
  return situation;
}

void LicenseKeeper::Load(const DocumentKeys& keys) {
  absl::StatusOr<std::optional<config::AgentLicense>> kept;
  absl::StatusOr<std::optional<config::AgentContact>> contact;
  {
    absl::MutexLock lock(&options_.state->mutex);
    kept = options_.state->directory->LoadLicense();
    contact = options_.state->directory->LoadContact();
  }
  if (!kept.ok()) WarnAbout("the kept license cannot be read", kept.status());
  if (!kept.ok() || !kept->has_value()) return;
  auto license = VerifyLicense((*kept)->signed_license(), keys,
                               options_.state->directory->cluster_id());
  const auto verified_at = FromProto((*kept)->verified_at());
  if (!license.ok() || !verified_at.ok()) {
    return WarnAbout("the kept license is not believed",
                     license.ok() ? verified_at.status() : license.status());
  }
  if (!contact.ok()) {
    WarnAbout("the kept time of the last contact cannot be read",
              contact.status());
  }
  const config::AgentContact last =
      contact.ok() && contact->has_value()
          ? **contact
          : ContactOf(*verified_at,
                      FromProto(license->issued_at()).value_or(*verified_at));
  News news;
  {
    absl::MutexLock lock(&mutex_);
    license_ = *std::move(license);
    verified_at_ = *verified_at;
    // What was told before that.
    LicenseSituation then = SituationOf(last);
    then.license = &*license_;
    LicenseEvents(then, told_);
    contact_.Restore(last);
    news = Refresh();
  }
  Tell(news);
}

absl::Status LicenseKeeper::FollowKeys(const v1::CheckLicenseResponse& answer,
                                       KeyRing& keys) {
  const DocumentKeys known = keys.keys();
  absl::StatusOr<DocumentKeys> all =
      FollowSuccessions(answer.key_successions(), known);
  if (!all.ok() || all->size() == known.size()) return all.status();
  {
    absl::MutexLock lock(&options_.state->mutex);
    const absl::Status saved =
        options_.state->directory->SaveDocumentKeys(*all);
    if (!saved.ok()) return saved;
  }
  LogInfo("the service signs with a new document key",
          {{"key_id", all->back().key_id()}});
  keys.Set(*std::move(all));
  return absl::OkStatus();
}

absl::Status LicenseKeeper::Answered(const v1::CheckLicenseResponse& answer,
                                     KeyRing& keys) {
  absl::Status status = FollowKeys(answer, keys);
  if (status.ok()) {
    status = VerifyLicenseAnswer(answer, keys.keys(),
                                 options_.state->directory->cluster_id());
  }
  if (!status.ok()) {
    NotAnswered();
    return status;
  }
  const absl::Time now = options_.clock->Now();
  config::AgentLicense kept;
  *kept.mutable_signed_license() = answer.signed_license();
  *kept.mutable_verified_at() = mc::ToProto(now);
  News news;
  {
    absl::MutexLock lock(&mutex_);
    license_ = answer.license();
    verified_at_ = now;
    contact_.Reached(ServiceTime(answer, now));
    unreachable_ = false;
    news = Refresh();
  }
  // It acts whether it can be kept or not.
  Tell(news);
  return Keep(kept);
}

absl::Status LicenseKeeper::Keep(const config::AgentLicense& kept) {
  absl::MutexLock lock(&options_.state->mutex);
  const absl::Status status = options_.state->directory->SaveLicense(kept);
  return status.ok() ? SaveContact() : status;
}

absl::Status LicenseKeeper::SaveContact() {
  config::AgentContact contact;
  {
    absl::MutexLock lock(&mutex_);
    if (!contact_.ever()) return absl::OkStatus();
    contact = contact_.Note();
    noted_ = options_.clock->SinceBoot();
  }
  return options_.state->directory->SaveContact(contact);
}

void LicenseKeeper::NotAnswered() {
  News news;
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(unreachable_, true)) return;
    news = Refresh();
  }
  Tell(news);
}

LicenseState LicenseKeeper::Get() const {
  absl::MutexLock lock(&mutex_);
  return {.license = license_,
          .verified_at = verified_at_,
          .answer = JudgeLicense(Situation())};
}

void LicenseKeeper::Watch(const std::shared_ptr<Watcher>& watcher) {
  absl::MutexLock lock(&mutex_);
  watchers_.erase(
      std::remove_if(watchers_.begin(), watchers_.end(),
                     [](const auto& known) { return known.expired(); }),
      watchers_.end());
  watchers_.push_back(watcher);
}

LicenseKeeper::News LicenseKeeper::Refresh() {
  const LicenseSituation situation = Situation();
  News news;
  news.events = LicenseEvents(situation, told_);
  v1::LicenseAnswer answer = JudgeLicense(situation);
  std::string shown = Shown(license_, answer);
  if (shown != shown_) {
    shown_ = std::move(shown);
    news.changed = std::move(answer);
    for (const std::weak_ptr<Watcher>& known : watchers_) {
      if (std::shared_ptr<Watcher> watcher = known.lock()) {
        news.watchers.push_back(std::move(watcher));
      }
    }
  }
  ScheduleTick(std::min({UntilNextStanding(situation),
                         UntilNextWarning(situation), kNoteInterval}));
  return news;
}

void LicenseKeeper::Tell(const News& news) {
  if (news.changed.has_value()) {
    LogInfo("license",
            {{"standing", v1::LicenseStanding_Name(news.changed->standing())},
             {"reason", news.changed->reason()}});
  }
  if (options_.events != nullptr) {
    for (const v1::ClusterEvent& event : news.events) {
      options_.events->Raise(event);
    }
  }
  for (const std::shared_ptr<Watcher>& watcher : news.watchers) (*watcher)();
}

void LicenseKeeper::ScheduleTick(absl::Duration delay) {
  if (timer_.has_value()) options_.timers->Cancel(*timer_);
  timer_ = options_.timers->ScheduleAfter(delay, [this] {
    if (options_.executor->TryRun([this] { Tick(); })) return;
    absl::MutexLock lock(&mutex_);
    ScheduleTick(kTryAgain);
  });
}

void LicenseKeeper::Tick() {
  News news;
  bool note = false;
  {
    absl::MutexLock lock(&mutex_);
    news = Refresh();
    // An event that was told is not told again after a restart.
    note = !news.events.empty() ||
           options_.clock->SinceBoot() - noted_ >= kNoteInterval;
  }
  Tell(news);
  if (note) Note();
}

void LicenseKeeper::Note() {
  absl::MutexLock lock(&options_.state->mutex);
  const absl::Status saved = SaveContact();
  if (!saved.ok()) WarnAbout("the time of the last contact is not kept", saved);
}

}  // namespace mc::agent
