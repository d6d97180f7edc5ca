#include "mc-service/backup/manifest.h"

#include <gtest/gtest.h>

namespace mc::service {
namespace {

TEST(Manifest, ComesBack) {
  const Manifest manifest = {.created_at = "2026-11-21T10:00:00Z",
                             .program_version = "1.0.0",
                             .trust_domain = "example.com",
                             .service_epoch = 12,
                             .schema_version = 6,
                             .files = {{"store.db", 7, "ab"}},
                             .not_included = {"/etc/tls.pem"}};
  const auto read = ParseManifest(ToJson(manifest));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(ToJson(*read), ToJson(manifest));
}

TEST(Manifest, SizesThatCannotBeAddedAreRefused) {
  const auto read = ParseManifest(
      R"({"format": 1, "files": [{"name": "a", "bytes": 9223372036854775807},
                                 {"name": "b", "bytes": 1}]})");
  EXPECT_EQ(read.status().code(), absl::StatusCode::kDataLoss);
}

TEST(Manifest, ANewerFormatIsNamed) {
  for (const char* json :
       {R"({"format": 2})", R"({"format": 4294967297, "files": []})"}) {
    EXPECT_EQ(ParseManifest(json).status().code(),
              absl::StatusCode::kFailedPrecondition)
        << json;
  }
}

}  // namespace
}  // namespace mc::service
