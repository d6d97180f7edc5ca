#include "cluster-agent/domain/documents/documents.h"

#include <google/protobuf/util/message_differencer.h>

#include <span>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/crypto/document.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using google::protobuf::util::MessageDifferencer;

absl::Status Wrong(std::string_view what) {
  return absl::UnauthenticatedError(
      absl::string_view(what.data(), what.size()));
}

// Says whose signature it is; VerifyDocument knows only bytes.
absl::Status Unverified(std::string_view what, const absl::Status& status) {
  return absl::UnauthenticatedError(absl::StrCat(
      "the signature of ", absl::string_view(what.data(), what.size()),
      " is not believed: ", status.message()));
}

std::string ReleaseName(v1::Component component, const std::string& label,
                        const std::string& version) {
  std::string name(
      absl::StripPrefix(v1::Component_Name(component), "COMPONENT_"));
  absl::AsciiStrToLower(&name);
  if (!label.empty()) absl::StrAppend(&name, " ", label);
  return absl::StrCat(name, " ", version);
}

// The document that the typed copy corresponds to, but for the artifacts.
template <typename Update>
v1::ReleaseDocument Expected(v1::Component component, const Update& update) {
  v1::ReleaseDocument document;
  document.set_kind(v1::DOCUMENT_KIND_RELEASE);
  document.set_component(component);
  document.set_version(update.version());
  document.set_minimum_required_version(update.minimum_required_version());
  if (update.has_announced_at()) {
    *document.mutable_announced_at() = update.announced_at();
  }
  if (update.has_not_before()) {
    *document.mutable_not_before() = update.not_before();
  }
  if (update.has_install_by()) {
    *document.mutable_install_by() = update.install_by();
  }
  return document;
}

void Offer(v1::ReleaseDocument expected, const v1::SignedDocument& release,
           const DocumentKeys& keys, OfferedReleases& offered) {
  const std::string name =
      ReleaseName(expected.component(), expected.label(), expected.version());
  absl::StatusOr<v1::ReleaseDocument> document =
      VerifyDocument<v1::ReleaseDocument>(release, keys,
                                          v1::DOCUMENT_KIND_RELEASE);
  if (!document.ok()) {
    offered.refused.push_back(
        Unverified(absl::StrCat("release ", name), document.status()));
    return;
  }
  // The typed copy of a component update has no description.
  if (expected.component() != v1::COMPONENT_CLUSTER) {
    document->clear_description();
  }
  if (!MessageDifferencer::Equals(expected, *document)) {
    offered.refused.push_back(Wrong(absl::StrCat(
        "release ", name, " differs from what the vendor has signed")));
    return;
  }
  offered.available.push_back(name);
}

void OfferComponents(
    v1::Component component,
    const google::protobuf::RepeatedPtrField<v1::ComponentUpdate>& updates,
    const DocumentKeys& keys, OfferedReleases& offered) {
  for (const v1::ComponentUpdate& update : updates) {
    v1::ReleaseDocument expected = Expected(component, update);
    expected.set_label(update.label());
    *expected.mutable_artifacts() = update.artifacts();
    Offer(std::move(expected), update.signed_release(), keys, offered);
  }
}

}  // namespace

absl::StatusOr<v1::LicenseDocument> VerifyLicense(
    const v1::SignedDocument& signed_license, const DocumentKeys& keys,
    std::string_view cluster_id) {
  absl::StatusOr<v1::LicenseDocument> license =
      VerifyDocument<v1::LicenseDocument>(signed_license, keys,
                                          v1::DOCUMENT_KIND_LICENSE);
  if (!license.ok()) return Unverified("the license", license.status());
  if (license->cluster_id() != cluster_id) {
    return Wrong("the license is signed for another cluster");
  }
  return license;
}

absl::Status VerifyLicenseAnswer(const v1::CheckLicenseResponse& answer,
                                 const DocumentKeys& keys,
                                 std::string_view cluster_id) {
  const absl::StatusOr<v1::LicenseDocument> license =
      VerifyLicense(answer.signed_license(), keys, cluster_id);
  if (!license.ok()) return license.status();
  if (!MessageDifferencer::Equals(*license, answer.license())) {
    return Wrong("the license differs from what the vendor has signed");
  }
  return absl::OkStatus();
}

absl::Status VerifyReceipt(const v1::SignedDocument& signed_receipt,
                           const DocumentKeys& keys,
                           const ExpectedReceipt& expected) {
  const absl::StatusOr<v1::ConsumptionReceiptDocument> receipt =
      VerifyDocument<v1::ConsumptionReceiptDocument>(
          signed_receipt, keys, v1::DOCUMENT_KIND_CONSUMPTION_RECEIPT);
  if (!receipt.ok()) return Unverified("the receipt", receipt.status());
  if (receipt->cluster_id() != expected.cluster_id ||
      receipt->epoch() != expected.epoch ||
      receipt->sequence() != expected.sequence) {
    return Wrong("the receipt is signed for another report");
  }
  if (receipt->report_sha256() != expected.report_sha256) {
    return Wrong("the receipt is signed for other bytes than were sent");
  }
  return absl::OkStatus();
}

OfferedReleases VerifyReleases(const v1::CheckUpdatesResponse& answer,
                               const DocumentKeys& keys) {
  OfferedReleases offered;
  if (answer.has_cluster()) {
    const v1::ClusterUpdate& update = answer.cluster();
    v1::ReleaseDocument expected = Expected(v1::COMPONENT_CLUSTER, update);
    expected.set_description(update.description());
    if (update.has_artifact()) *expected.add_artifacts() = update.artifact();
    Offer(std::move(expected), update.signed_release(), keys, offered);
  }
  OfferComponents(v1::COMPONENT_ONE_AGENT, answer.one_agents(), keys, offered);
  OfferComponents(v1::COMPONENT_JAVASCRIPT_TAG, answer.javascript_tags(), keys,
                  offered);
  OfferComponents(v1::COMPONENT_ACTIVE_GATE, answer.active_gates(), keys,
                  offered);
  return offered;
}

}  // namespace mc::agent
