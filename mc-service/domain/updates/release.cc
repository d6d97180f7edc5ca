#include "mc-service/domain/updates/release.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/crypto/digest.h"
#include "common/crypto/document.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"
#include "mc-service/domain/updates/version.h"

namespace mc::service {
namespace {

constexpr size_t kMaxDescription = 1024;
constexpr size_t kMaxUrl = 2048;

// As FORMAT_ID of the contract: clusters send labels back.
bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= 128 &&
         absl::ascii_isalnum(label.front()) &&
         std::all_of(label.begin(), label.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == ':' ||
                  c == '-';
         });
}

bool IsUrl(std::string_view url) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (url.starts_with(scheme)) {
      return url.size() > scheme.size() && url.size() <= kMaxUrl &&
             url[scheme.size()] != '/' &&
             std::all_of(url.begin(), url.end(), absl::ascii_isgraph);
    }
  }
  return false;
}

absl::Status CheckArtifact(const v1::Artifact& artifact,
                           std::string_view field) {
  const auto of = [field](const char* name) {
    return absl::StrCat(absl::string_view(field.data(), field.size()), name);
  };
  if (!IsUrl(artifact.download_url())) {
    return InvalidField(of(".download_url"),
                        "The download URL must start with https:// or http:// "
                        "and name a host.");
  }
  if (artifact.size_bytes() <= 0) {
    return InvalidField(of(".size_bytes"),
                        "The artifact's size must be greater than 0.");
  }
  if (artifact.sha256().size() != kSha256Size) {
    return InvalidField(of(".sha256"), "The SHA-256 must have 32 bytes.");
  }
  return absl::OkStatus();
}

absl::Status CheckWhat(const v1::CreateReleaseRequest& request) {
  if (request.component() == v1::COMPONENT_UNSPECIFIED ||
      !v1::Component_IsValid(request.component())) {
    return InvalidField("component", "Say what this is a release of.");
  }
  if (request.component() == v1::COMPONENT_CLUSTER) {
    if (!request.label().empty()) {
      return InvalidField("label", "A release of the cluster has no label.");
    }
  } else if (!IsLabel(request.label())) {
    return InvalidField("label",
                        "The component needs a label, for instance stable: "
                        "letters, digits and . _ : - (at most 128).");
  }
  if (!IsReleaseVersion(request.version())) {
    return InvalidField("version",
                        "The version must be numbers separated by dots, for "
                        "instance 1.2.3 or 1.3.0-rc.1.");
  }
  if (request.description().size() > kMaxDescription) {
    return InvalidField("description",
                        "The description must be at most 1024 bytes long.");
  }
  const std::string& minimum = request.minimum_required_version();
  if (!minimum.empty() && (!IsReleaseVersion(minimum) ||
                           CompareVersions(minimum, request.version()) >= 0)) {
    return InvalidField("minimum_required_version",
                        "The minimum must be a version older than the "
                        "release's own.");
  }
  return absl::OkStatus();
}

absl::Status CheckArtifacts(const v1::CreateReleaseRequest& request) {
  if (request.artifacts().empty()) {
    return InvalidField("artifacts", "A release needs an artifact.");
  }
  if (request.component() == v1::COMPONENT_CLUSTER &&
      request.artifacts_size() != 1) {
    return InvalidField("artifacts",
                        "A release of the cluster has exactly one artifact.");
  }
  for (int i = 0; i < request.artifacts_size(); ++i) {
    absl::Status checked =
        CheckArtifact(request.artifacts(i), absl::StrCat("artifacts[", i, "]"));
    if (!checked.ok()) return checked;
  }
  return absl::OkStatus();
}

// Fills in the document's times from the request's and their defaults.
absl::Status SetTimes(const v1::CreateReleaseRequest& request, absl::Time now,
                      v1::ReleaseDocument& document) {
  absl::Time announced_at = now;
  if (request.has_announced_at()) {
    const absl::StatusOr<absl::Time> given = FromProto(request.announced_at());
    if (!given.ok()) return InvalidField("announced_at", "Not a valid time.");
    announced_at = *given;
  }
  absl::Time not_before = announced_at + kDefaultNotice;
  if (request.has_not_before()) {
    const absl::StatusOr<absl::Time> given = FromProto(request.not_before());
    if (!given.ok() || *given < announced_at) {
      return InvalidField("not_before",
                          "It must be at or after the announcement.");
    }
    not_before = *given;
  }
  if (request.has_install_by()) {
    const absl::StatusOr<absl::Time> given = FromProto(request.install_by());
    if (!given.ok() || *given <= not_before) {
      return InvalidField("install_by", "It must be after not_before.");
    }
    *document.mutable_install_by() = request.install_by();
  }
  *document.mutable_announced_at() = ToProto(announced_at);
  *document.mutable_not_before() = ToProto(not_before);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::ReleaseDocument> MakeReleaseDocument(
    const v1::CreateReleaseRequest& request, absl::Time now) {
  v1::ReleaseDocument document;
  absl::Status status = CheckWhat(request);
  if (status.ok()) status = CheckArtifacts(request);
  if (status.ok()) status = SetTimes(request, now, document);
  if (!status.ok()) return status;
  document.set_kind(v1::DOCUMENT_KIND_RELEASE);
  document.set_component(request.component());
  document.set_label(request.label());
  document.set_version(request.version());
  document.set_description(request.description());
  *document.mutable_artifacts() = request.artifacts();
  document.set_minimum_required_version(request.minimum_required_version());
  return document;
}

absl::StatusOr<Release> ReleaseDesk::Create(
    const v1::CreateReleaseRequest& request) const {
  const absl::Time now = options_.clock->Now();
  absl::StatusOr<v1::ReleaseDocument> document =
      MakeReleaseDocument(request, now);
  if (!document.ok()) return document.status();
  Release release{.id = RandomUuid(),
                  .created_at = now,
                  .document = *std::move(document),
                  .signed_document = {}};
  release.signed_document = options_.signer->Sign(release.document);
  absl::Status written = options_.store->WriteAndWait(
      [&](Writer& writer) { return writer.InsertRelease(release); });
  if (absl::IsAlreadyExists(written)) {
    return Error(absl::StatusCode::kAlreadyExists,
                 v1::ERROR_REASON_ALREADY_PRESENT,
                 "There is a release of this component, label and version; "
                 "give the new one another version.");
  }
  if (!written.ok()) return written;
  return release;
}

}  // namespace mc::service
