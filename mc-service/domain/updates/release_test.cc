#include "mc-service/domain/updates/release.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "common/crypto/document.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"
#include "google/protobuf/util/message_differencer.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'777'888'800);

v1::CreateReleaseRequest ClusterRelease() {
  v1::CreateReleaseRequest request;
  request.set_component(v1::COMPONENT_CLUSTER);
  request.set_version("2.0.0");
  v1::Artifact& artifact = *request.add_artifacts();
  artifact.set_download_url("https://downloads.example/cluster.tar");
  artifact.set_size_bytes(1);
  artifact.set_sha256(std::string(32, 'x'));
  return request;
}

TEST(ReleaseDocument, IsAnnouncedNowAndInstalledADayLater) {
  const auto document = MakeReleaseDocument(ClusterRelease(), kNow);
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_EQ(document->kind(), v1::DOCUMENT_KIND_RELEASE);
  EXPECT_EQ(*FromProto(document->announced_at()), kNow);
  EXPECT_EQ(*FromProto(document->not_before()), kNow + absl::Hours(24));
  EXPECT_FALSE(document->has_install_by());
}

TEST(ReleaseDocument, NoticeCountsFromTheAnnouncement) {
  v1::CreateReleaseRequest request = ClusterRelease();
  const absl::Time announced_at = kNow + absl::Hours(100);
  *request.mutable_announced_at() = ToProto(announced_at);
  const auto document = MakeReleaseDocument(request, kNow);
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_EQ(*FromProto(document->announced_at()), announced_at);
  EXPECT_EQ(*FromProto(document->not_before()), announced_at + absl::Hours(24));
}

TEST(ReleaseDocument, EachRuleNamesItsField) {
  struct Case {
    const char* field;
    std::function<void(v1::CreateReleaseRequest&)> breach;
  };
  const auto artifact = [](v1::CreateReleaseRequest& r) -> v1::Artifact& {
    return *r.mutable_artifacts(0);
  };
  const Case cases[] = {
      {"component",
       [](auto& r) { r.set_component(v1::COMPONENT_UNSPECIFIED); }},
      {"component",
       [](auto& r) { r.set_component(static_cast<v1::Component>(99)); }},
      {"label", [](auto& r) { r.set_label("stable"); }},
      {"label", [](auto& r) { r.set_component(v1::COMPONENT_ONE_AGENT); }},
      {"label",
       [](auto& r) {
         r.set_component(v1::COMPONENT_ONE_AGENT);
         r.set_label("two words");
       }},
      {"label",
       [](auto& r) {
         r.set_component(v1::COMPONENT_ONE_AGENT);
         r.set_label(std::string(129, 'x'));
       }},
      {"version", [](auto& r) { r.clear_version(); }},
      {"version", [](auto& r) { r.set_version("latest"); }},
      {"description",
       [](auto& r) { r.set_description(std::string(1025, 'x')); }},
      {"minimum_required_version",
       [](auto& r) { r.set_minimum_required_version("any"); }},
      {"minimum_required_version",
       [](auto& r) { r.set_minimum_required_version("2.0"); }},
      {"artifacts", [](auto& r) { r.clear_artifacts(); }},
      {"artifacts", [](auto& r) { *r.add_artifacts() = r.artifacts(0); }},
      {"artifacts[0].download_url",
       [&](auto& r) { artifact(r).clear_download_url(); }},
      {"artifacts[0].download_url",
       [&](auto& r) { artifact(r).set_download_url("https://"); }},
      {"artifacts[0].download_url",
       [&](auto& r) { artifact(r).set_download_url("https:///path"); }},
      {"artifacts[0].download_url",
       [&](auto& r) { artifact(r).set_download_url("file:///etc/passwd"); }},
      {"artifacts[0].download_url",
       [&](auto& r) { artifact(r).set_download_url("https://a b"); }},
      {"artifacts[0].size_bytes",
       [&](auto& r) { artifact(r).set_size_bytes(0); }},
      {"artifacts[0].sha256",
       [&](auto& r) { artifact(r).set_sha256(std::string(31, 'x')); }},
      {"announced_at",
       [](auto& r) { r.mutable_announced_at()->set_nanos(-1); }},
      {"not_before",
       [](auto& r) {
         *r.mutable_not_before() = ToProto(kNow - absl::Seconds(1));
       }},
      {"install_by",
       [](auto& r) {
         *r.mutable_install_by() = ToProto(kNow + absl::Hours(24));
       }},
  };
  for (const Case& c : cases) {
    v1::CreateReleaseRequest request = ClusterRelease();
    c.breach(request);
    const absl::Status status = MakeReleaseDocument(request, kNow).status();
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_INVALID_FIELD)
        << c.field << ": " << status;
    const auto info = ErrorInfoOf(status);
    ASSERT_TRUE(info.has_value());
    EXPECT_EQ(info->metadata().at("field"), c.field);
  }
}

TEST(ReleaseDesk, SignsAndStoresWhatWasAnnounced) {
  SimulatedClock clock(kNow);
  FakeStore store;
  const DocumentSigner signer(PrivateKey::GenerateEd25519());
  const ReleaseDesk desk({.store = &store, .signer = &signer, .clock = &clock});
  v1::CreateReleaseRequest request = ClusterRelease();
  request.set_component(v1::COMPONENT_ONE_AGENT);
  request.set_label("stable");
  request.set_minimum_required_version("1.5");
  *request.add_artifacts() = request.artifacts(0);
  *request.mutable_install_by() = ToProto(kNow + absl::Hours(48));
  const auto created = desk.Create(request);
  ASSERT_TRUE(created.ok()) << created.status();

  const v1::DocumentKey keys[] = {signer.document_key()};
  const auto document = VerifyDocument<v1::ReleaseDocument>(
      created->signed_document, keys, v1::DOCUMENT_KIND_RELEASE);
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(
      *document, created->document));
  EXPECT_EQ(document->artifacts_size(), 2);
  EXPECT_EQ(document->label(), "stable");
  EXPECT_EQ(document->minimum_required_version(), "1.5");

  absl::Status read = store.Read([&](Reader& reader) {
    const auto stored = reader.GetRelease(created->id);
    if (!stored.ok()) return stored.status();
    EXPECT_EQ(stored->signed_document.signature(),
              created->signed_document.signature());
    return absl::OkStatus();
  });
  EXPECT_TRUE(read.ok()) << read;

  const absl::Status again = desk.Create(request).status();
  EXPECT_EQ(again.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(again), v1::ERROR_REASON_ALREADY_PRESENT);
}

}  // namespace
}  // namespace mc::service
