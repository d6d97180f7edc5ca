// Exchange counts, releases.
#include <gmock/gmock.h>

#include "mc-service/store/conformance.h"
#include "tests/support/message_filler.h"

namespace mc::service {
namespace {

using testing::Difference;
using ::testing::ElementsAre;
using testing::MessageFiller;

constexpr auto kNotFound = absl::StatusCode::kNotFound;
constexpr auto kAlreadyExists = absl::StatusCode::kAlreadyExists;

Release MakeRelease(const std::string& id, v1::Component component,
                    const std::string& version) {
  Release release;
  release.id = id;
  release.created_at = absl::FromUnixSeconds(1'777'000'000);
  MessageFiller().Fill(release.document);
  release.document.set_component(component);
  release.document.set_version(version);
  release.signed_document.set_document(release.document.SerializeAsString());
  release.signed_document.set_key_id("key");
  release.signed_document.set_signature(std::string("\0\xfe", 2));
  return release;
}

}  // namespace

TEST_P(StoreConformance, ExchangeCountsAddUpAndKeepTheNewestResult) {
  WriteOk([](Writer& w) {
    absl::Status done =
        w.AddExchangeCount({"c1", v1::EXCHANGE_LICENSE, 3, 1, At(10), "OK"});
    done.Update(
        w.AddExchangeCount({"", v1::EXCHANGE_INSTALLATION, 1, 0, At(5), "OK"}));
    done.Update(w.AddExchangeCount(
        {"c1", v1::EXCHANGE_LICENSE, 1, 2, At(20), "NOT_FOUND"}));
    done.Update(
        w.AddExchangeCount({"c1", v1::EXCHANGE_LICENSE, 1, 0, At(15), "late"}));
    return done;
  });
  const auto counts =
      Read([](Reader& r) { return r.ListExchangeCounts("c1", {}); });
  ASSERT_TRUE(counts.ok()) << counts.status();
  ASSERT_EQ(counts->items.size(), 1u);
  const ExchangeCount& count = counts->items[0];
  EXPECT_EQ(count.cluster_id, "c1");
  EXPECT_EQ(count.exchange, v1::EXCHANGE_LICENSE);
  EXPECT_EQ(count.succeeded, 5);
  EXPECT_EQ(count.failed, 3);
  EXPECT_EQ(count.last_at, At(20));
  EXPECT_EQ(count.last_result, "NOT_FOUND");
  EXPECT_EQ(Read([](Reader& r) {
              return r.ListExchangeCounts("", {});
            })->items.size(),
            2u);
}

TEST_P(StoreConformance, ReleaseComesBackAsItWasSigned) {
  const auto release = MakeRelease("r1", v1::COMPONENT_CLUSTER, "1.0");
  WriteOk([&](Writer& w) { return w.InsertRelease(release); });
  const auto read = Read([](Reader& r) { return r.GetRelease("r1"); });
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->id, "r1");
  EXPECT_EQ(read->created_at, release.created_at);
  EXPECT_EQ(Difference(release.document, read->document), "");
  EXPECT_EQ(Difference(release.signed_document, read->signed_document), "");
  EXPECT_EQ(Read([](Reader& r) { return r.GetRelease("r9"); }).status().code(),
            kNotFound);

  auto same_version = release;
  same_version.id = "r2";
  EXPECT_EQ(
      Write([&](Writer& w) { return w.InsertRelease(same_version); }).code(),
      kAlreadyExists);
  EXPECT_EQ(
      Write([](Writer& w) {
        return w.InsertRelease(MakeRelease("r1", v1::COMPONENT_CLUSTER, "2.0"));
      }).code(),
      kAlreadyExists);
  auto unsigned_text = MakeRelease("r3", v1::COMPONENT_CLUSTER, "3.0");
  unsigned_text.document.set_description("not what was signed");
  EXPECT_EQ(
      Write([&](Writer& w) { return w.InsertRelease(unsigned_text); }).code(),
      absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreConformance, PagesOfReleasesAreNewestFirst) {
  int count = 0;
  const auto add = [&] {
    ++count;
    const auto component =
        count % 2 == 0 ? v1::COMPONENT_ONE_AGENT : v1::COMPONENT_CLUSTER;
    WriteOk([&](Writer& w) {
      const std::string number = std::to_string(count);
      return w.InsertRelease(MakeRelease("r" + number, component, number));
    });
  };
  for (int i = 0; i < 5; ++i) add();
  const auto name = [](const Release& release) { return release.id; };
  EXPECT_THAT(Walk(
                  [](Reader& r, const Page& page) {
                    return r.ListReleases(v1::COMPONENT_UNSPECIFIED, page);
                  },
                  name, add),
              ElementsAre("r5", "r4", "r3", "r2", "r1"));
  EXPECT_THAT(Walk(
                  [](Reader& r, const Page& page) {
                    return r.ListReleases(v1::COMPONENT_ONE_AGENT, page);
                  },
                  name, [] {}),
              ElementsAre("r6", "r4", "r2"));
}

}  // namespace mc::service
