#include "mc-service/domain/updates/updates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"
#include "mc-service/domain/testing/seed.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

using testing::ElementsAre;

const absl::Time kNow = absl::FromUnixSeconds(1'777'888'800);

Release Of(v1::Component component, std::string label, std::string version,
           std::string minimum = "") {
  Release release;
  release.id = absl::StrCat(component, label, version);
  release.created_at = kNow;
  v1::ReleaseDocument& document = release.document;
  document.set_kind(v1::DOCUMENT_KIND_RELEASE);
  document.set_component(component);
  document.set_label(label);
  document.set_version(version);
  document.set_description("Faster");
  document.set_minimum_required_version(minimum);
  document.add_artifacts()->set_download_url("https://downloads.example/");
  *document.mutable_announced_at() = ToProto(kNow);
  *document.mutable_not_before() = ToProto(kNow + absl::Hours(24));
  release.signed_document.set_document(document.SerializeAsString());
  release.signed_document.set_key_id(version);
  return release;
}

Release ClusterRelease(std::string version, std::string minimum = "") {
  return Of(v1::COMPONENT_CLUSTER, "", std::move(version), std::move(minimum));
}

v1::CheckUpdatesRequest Installed(v1::Component component, std::string label,
                                  std::string version) {
  v1::CheckUpdatesRequest request;
  v1::InstalledVersion& installed = *request.add_installed();
  installed.set_component(component);
  installed.set_label(label);
  installed.set_version(version);
  return request;
}

std::string OfferedTo(std::string installed,
                      const std::vector<Release>& releases) {
  return FindUpdates(Installed(v1::COMPONENT_CLUSTER, "", installed), releases,
                     kNow)
      .cluster()
      .version();
}

std::vector<std::string> OneAgentsOf(const v1::CheckUpdatesResponse& updates) {
  std::vector<std::string> names;
  for (const v1::ComponentUpdate& update : updates.one_agents()) {
    names.push_back(update.label() + " " + update.version());
  }
  return names;
}

TEST(ClusterUpdates, NewestReleaseIsOfferedAndNeverADowngrade) {
  const std::vector<Release> releases = {
      ClusterRelease("1.5"), ClusterRelease("1.10"), ClusterRelease("1.9")};
  EXPECT_EQ(OfferedTo("1.0", releases), "1.10");
  EXPECT_EQ(OfferedTo("1.9", releases), "1.10");
  EXPECT_EQ(OfferedTo("1.10.0", releases), "");
  EXPECT_EQ(OfferedTo("2.0", releases), "");
}

TEST(ClusterUpdates, RequiredStepComesFirst) {
  const std::vector<Release> releases = {ClusterRelease("3.0", "2.0"),
                                         ClusterRelease("2.1", "1.5"),
                                         ClusterRelease("1.5", "1.0")};
  EXPECT_EQ(OfferedTo("0.9", releases), "") << "no step leads on";
  EXPECT_EQ(OfferedTo("1.0", releases), "1.5");
  EXPECT_EQ(OfferedTo("1.5", releases), "2.1");
  EXPECT_EQ(OfferedTo("2.1", releases), "3.0");
}

TEST(ClusterUpdates, OfferCarriesTheWholeRelease) {
  Release release = ClusterRelease("2.0", "1.0");
  *release.document.mutable_install_by() = ToProto(kNow + absl::Hours(48));
  const v1::CheckUpdatesResponse updates = FindUpdates(
      Installed(v1::COMPONENT_CLUSTER, "", "1.0"), {&release, 1}, kNow);
  const v1::ClusterUpdate& update = updates.cluster();
  EXPECT_EQ(update.description(), "Faster");
  EXPECT_EQ(update.artifact().download_url(), "https://downloads.example/");
  EXPECT_EQ(update.minimum_required_version(), "1.0");
  EXPECT_EQ(*FromProto(update.announced_at()), kNow);
  EXPECT_EQ(*FromProto(update.not_before()), kNow + absl::Hours(24));
  EXPECT_EQ(*FromProto(update.install_by()), kNow + absl::Hours(48));
  EXPECT_EQ(update.signed_release().document(),
            release.signed_document.document());
  EXPECT_EQ(Describe(updates), "cluster 2.0");
}

TEST(ClusterUpdates, ReleaseIsOfferedFromItsAnnouncementOn) {
  const Release release = ClusterRelease("2.0");
  const auto request = Installed(v1::COMPONENT_CLUSTER, "", "1.0");
  EXPECT_FALSE(FindUpdates(request, {&release, 1}, kNow - absl::Seconds(1))
                   .has_cluster());
  EXPECT_TRUE(FindUpdates(request, {&release, 1}, kNow).has_cluster());
}

TEST(ClusterUpdates, ClusterThatNamesNoVersionGetsNone) {
  const Release release = ClusterRelease("2.0");
  EXPECT_FALSE(FindUpdates({}, {&release, 1}, kNow).has_cluster());
  EXPECT_EQ(OfferedTo("", {release}), "");
}

TEST(ClusterUpdates, NewestVersionCountsWhereOneIsNamedTwice) {
  const std::vector<Release> releases = {ClusterRelease("2.0")};
  v1::CheckUpdatesRequest request = Installed(v1::COMPONENT_CLUSTER, "", "3.0");
  request.MergeFrom(Installed(v1::COMPONENT_CLUSTER, "", "1.0"));
  EXPECT_FALSE(FindUpdates(request, releases, kNow).has_cluster());
}

TEST(ComponentUpdates, EachLineHasItsOwn) {
  const auto one_agent = v1::COMPONENT_ONE_AGENT;
  const std::vector<Release> releases = {
      Of(one_agent, "stable", "1.0"),
      Of(one_agent, "stable", "1.2"),
      Of(one_agent, "early", "2.0"),
      Of(one_agent, "legacy", "0.5"),
      Of(v1::COMPONENT_JAVASCRIPT_TAG, "stable", "7"),
      Of(v1::COMPONENT_ACTIVE_GATE, "stable", "8")};
  EXPECT_THAT(OneAgentsOf(FindUpdates({}, releases, kNow)),
              ElementsAre("early 2.0", "legacy 0.5", "stable 1.2"))
      << "nothing is installed yet";
  v1::CheckUpdatesRequest request = Installed(one_agent, "stable", "1.0");
  request.MergeFrom(Installed(one_agent, "early", "2.0"));
  request.MergeFrom(Installed(one_agent, "legacy", "0.6"));
  request.MergeFrom(Installed(v1::COMPONENT_ACTIVE_GATE, "stable", "8"));
  const v1::CheckUpdatesResponse updates = FindUpdates(request, releases, kNow);
  EXPECT_THAT(OneAgentsOf(updates), ElementsAre("stable 1.2"));
  ASSERT_EQ(updates.javascript_tags_size(), 1);
  EXPECT_EQ(updates.javascript_tags(0).version(), "7");
  EXPECT_EQ(updates.javascript_tags(0).artifacts_size(), 1);
  EXPECT_EQ(updates.active_gates_size(), 0);
  EXPECT_EQ(Describe(updates), "OneAgent stable 1.2, JavaScript tag stable 7");
}

TEST(CurrentOneAgent, IsTheNewestStableOneElseTheNewestOfAny) {
  const auto one_agent = v1::COMPONENT_ONE_AGENT;
  std::vector<Release> releases = {Of(one_agent, "early", "2.0"),
                                   Of(one_agent, "early", "3.0"),
                                   Of(one_agent, "early", "2.5")};
  EXPECT_EQ(CurrentOneAgent({}, kNow), nullptr);
  EXPECT_EQ(CurrentOneAgent(releases, kNow)->document.version(), "3.0");
  EXPECT_EQ(CurrentOneAgent(releases, kNow - absl::Seconds(1)), nullptr);
  releases.push_back(Of(one_agent, "stable", "1.2"));
  releases.push_back(Of(one_agent, "stable", "1.1"));
  EXPECT_EQ(CurrentOneAgent(releases, kNow)->document.version(), "1.2");
}

class UpdateDeskTest : public testing::Test {
 protected:
  UpdateDeskTest() {
    License license = SeedLicense(kNow);
    license.ends_at = kNow + absl::Hours(24);
    absl::Status seeded = Seed(store_, license, {"cluster-1"});
    seeded.Update(store_.WriteAndWait([](Writer& writer) {
      absl::Status status = writer.InsertRelease(ClusterRelease("1.5"));
      status.Update(writer.InsertRelease(ClusterRelease("2.0")));
      status.Update(
          writer.InsertRelease(Of(v1::COMPONENT_ONE_AGENT, "stable", "1.0")));
      return status;
    }));
    EXPECT_TRUE(seeded.ok()) << seeded;
  }

  SimulatedClock clock_{kNow};
  FakeStore store_;
  const UpdateDesk desk_{
      {.store = &store_, .clock = &clock_, .next_interval = absl::Minutes(30)}};
  const v1::CheckUpdatesRequest request_ =
      Installed(v1::COMPONENT_CLUSTER, "", "1.0");
};

TEST_F(UpdateDeskTest, OffersWhatTheStoreHas) {
  const auto answer = desk_.Check("cluster-1", request_);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->cluster().version(), "2.0");
  EXPECT_THAT(OneAgentsOf(*answer), ElementsAre("stable 1.0"));
  EXPECT_EQ(answer->pacing().next_interval().seconds(), 30 * 60);
}

TEST_F(UpdateDeskTest, UnusableLicenseGetsNoUpdates) {
  clock_.Advance(absl::Hours(24));
  const absl::Status status = desk_.Check("cluster-1", request_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_LICENSE_EXPIRED);
}

TEST_F(UpdateDeskTest, ClusterThatIsNotRegisteredIsDenied) {
  const absl::Status status = desk_.Check("cluster-2", request_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_IDENTITY_UNKNOWN);
}

TEST_F(UpdateDeskTest, InstalledVersionMustBeOfSomething) {
  const absl::Status status =
      desk_
          .Check("cluster-1",
                 Installed(v1::COMPONENT_UNSPECIFIED, "stable", "1.0"))
          .status();
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_EQ(ErrorInfoOf(status)->metadata().at("field"),
            "installed[0].component");
}

}  // namespace
}  // namespace mc::service
