#include "mc-service/domain/updates/updates.h"

#include <iterator>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"
#include "mc-service/domain/license/license.h"
#include "mc-service/domain/license/license_desk.h"
#include "mc-service/domain/updates/version.h"

namespace mc::service {
namespace {

using Line = std::pair<v1::Component, std::string>;
using Installed = std::map<Line, std::string>;

Installed NewestOfEachLine(const v1::CheckUpdatesRequest& request) {
  Installed newest;
  for (const v1::InstalledVersion& installed : request.installed()) {
    if (installed.version().empty()) continue;
    std::string& version = newest[{installed.component(), installed.label()}];
    if (version.empty() || CompareVersions(version, installed.version()) < 0) {
      version = installed.version();
    }
  }
  return newest;
}

bool IsAnnounced(const v1::ReleaseDocument& release, absl::Time now) {
  const absl::StatusOr<absl::Time> at = FromProto(release.announced_at());
  return at.ok() && *at <= now;
}

bool CanFollow(const v1::ReleaseDocument& release,
               const std::string& installed) {
  const std::string& minimum = release.minimum_required_version();
  return CompareVersions(release.version(), installed) > 0 &&
         (minimum.empty() || CompareVersions(minimum, installed) <= 0);
}

// What the two kinds of update have in common.
template <typename Update>
void FillUpdate(const Release& release, Update& update) {
  const v1::ReleaseDocument& document = release.document;
  update.set_version(document.version());
  update.set_minimum_required_version(document.minimum_required_version());
  *update.mutable_announced_at() = document.announced_at();
  *update.mutable_not_before() = document.not_before();
  if (document.has_install_by()) {
    *update.mutable_install_by() = document.install_by();
  }
  *update.mutable_signed_release() = release.signed_document;
}

void FillComponent(const Release& release, v1::ComponentUpdate& update) {
  FillUpdate(release, update);
  update.set_label(release.document.label());
  *update.mutable_artifacts() = release.document.artifacts();
}

void AddUpdate(const Release& release, v1::CheckUpdatesResponse& response) {
  switch (release.document.component()) {
    case v1::COMPONENT_CLUSTER: {
      v1::ClusterUpdate& update = *response.mutable_cluster();
      FillUpdate(release, update);
      update.set_description(release.document.description());
      *update.mutable_artifact() = release.document.artifacts(0);
      return;
    }
    case v1::COMPONENT_ONE_AGENT:
      return FillComponent(release, *response.add_one_agents());
    case v1::COMPONENT_JAVASCRIPT_TAG:
      return FillComponent(release, *response.add_javascript_tags());
    case v1::COMPONENT_ACTIVE_GATE:
      return FillComponent(release, *response.add_active_gates());
    default:
      return;
  }
}

}  // namespace

v1::CheckUpdatesResponse FindUpdates(const v1::CheckUpdatesRequest& request,
                                     std::span<const Release> releases,
                                     absl::Time now) {
  const Installed installed = NewestOfEachLine(request);
  std::map<Line, const Release*> offers;
  for (const Release& release : releases) {
    const v1::ReleaseDocument& document = release.document;
    if (!IsAnnounced(document, now)) continue;
    const Line line(document.component(), document.label());
    const auto version = installed.find(line);
    if (version == installed.end()) {
      if (document.component() == v1::COMPONENT_CLUSTER) continue;
    } else if (!CanFollow(document, version->second)) {
      continue;
    }
    const Release*& offer = offers[line];
    if (offer == nullptr ||
        CompareVersions(document.version(), offer->document.version()) > 0) {
      offer = &release;
    }
  }
  v1::CheckUpdatesResponse response;
  for (const auto& [line, release] : offers) AddUpdate(*release, response);
  return response;
}

absl::StatusOr<std::vector<Release>> AllReleases(Reader& reader,
                                                 v1::Component component) {
  std::vector<Release> all;
  Page page{.limit = 1000, .after = 0};
  while (true) {
    absl::StatusOr<Paged<Release>> some = reader.ListReleases(component, page);
    if (!some.ok()) return some.status();
    all.insert(all.end(), std::make_move_iterator(some->items.begin()),
               std::make_move_iterator(some->items.end()));
    if (!some->next.has_value()) return all;
    page.after = *some->next;
  }
}

const Release* CurrentOneAgent(std::span<const Release> one_agents,
                               absl::Time now) {
  const Release* current = nullptr;
  const auto precedes = [](const Release& a, const Release& b) {
    const bool a_is_stable = a.document.label() == "stable";
    const bool b_is_stable = b.document.label() == "stable";
    if (a_is_stable != b_is_stable) return b_is_stable;
    return CompareVersions(a.document.version(), b.document.version()) < 0;
  };
  for (const Release& release : one_agents) {
    if (!IsAnnounced(release.document, now)) continue;
    if (current == nullptr || precedes(*current, release)) current = &release;
  }
  return current;
}

std::string Describe(const v1::CheckUpdatesResponse& updates) {
  std::vector<std::string> parts;
  if (updates.has_cluster()) {
    parts.push_back(absl::StrCat("cluster ", updates.cluster().version()));
  }
  const auto add = [&parts](const char* name, const auto& line_updates) {
    for (const v1::ComponentUpdate& update : line_updates) {
      parts.push_back(
          absl::StrCat(name, " ", update.label(), " ", update.version()));
    }
  };
  add("OneAgent", updates.one_agents());
  add("JavaScript tag", updates.javascript_tags());
  add("ActiveGate", updates.active_gates());
  return parts.empty() ? "up to date" : absl::StrJoin(parts, ", ");
}

absl::StatusOr<v1::CheckUpdatesResponse> UpdateDesk::Check(
    std::string_view cluster_id, const v1::CheckUpdatesRequest& request) const {
  for (int i = 0; i < request.installed_size(); ++i) {
    if (request.installed(i).component() == v1::COMPONENT_UNSPECIFIED) {
      return InvalidField(absl::StrCat("installed[", i, "].component"),
                          "Say which component this version is of.");
    }
  }
  const absl::Time now = options_.clock->Now();
  std::vector<Release> releases;
  absl::Status read = options_.store->Read([&](Reader& reader) {
    const absl::StatusOr<License> license = LicenseOf(reader, cluster_id);
    if (!license.ok()) return license.status();
    if (absl::Status usable = CheckUsable(*license, now); !usable.ok()) {
      return usable;
    }
    absl::StatusOr<std::vector<Release>> all =
        AllReleases(reader, v1::COMPONENT_UNSPECIFIED);
    if (all.ok()) releases = *std::move(all);
    return all.status();
  });
  if (!read.ok()) return read;
  v1::CheckUpdatesResponse response = FindUpdates(request, releases, now);
  if (options_.next_interval.has_value()) {
    *response.mutable_pacing()->mutable_next_interval() =
        ToProto(*options_.next_interval);
  }
  return response;
}

}  // namespace mc::service
