#include "cluster-agent/doctor/local_checks.h"

#include <sys/stat.h>

#include <fstream>

#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/files/temp_dir.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr uint64_t kMebibyte = 1 << 20;

void Write(const std::string& path, const std::string& text, mode_t mode) {
  std::ofstream(path) << text;
  chmod(path.c_str(), mode);
}

TEST(StateDirectory, SecretsAreTheOwnersAlone) {
  const TempDir dir;
  EXPECT_EQ(CheckStateDirectory(dir.path()).outcome, Outcome::kOk);
  Write(dir.File("tls.key"), "x", 0600);
  Write(dir.File("tls.crt"), "x", 0644);
  EXPECT_EQ(CheckStateDirectory(dir.path()).outcome, Outcome::kOk);
  chmod(dir.File("tls.key").c_str(), 0640);
  const CheckResult open = CheckStateDirectory(dir.path());
  EXPECT_EQ(open.outcome, Outcome::kFailed);
  EXPECT_THAT(open.detail, HasSubstr("tls.key"));
  chmod(dir.File("tls.key").c_str(), 0600);
  chmod(dir.path().c_str(), 0755);
  EXPECT_EQ(CheckStateDirectory(dir.path()).outcome, Outcome::kFailed);
}

TEST(StateDirectory, BeforeTheFirstStartThereIsNone) {
  const TempDir dir;
  EXPECT_EQ(CheckStateDirectory(dir.File("state")).outcome, Outcome::kSkipped);
  EXPECT_EQ(CheckDiskSpace(dir.File("state/below")).check, "disk space");
  EXPECT_FALSE(CheckDiskSpace(dir.File("state")).detail.empty());
}

TEST(DiskSpace, ATenthOr256MebibytesAreScarce) {
  const auto judge = [](uint64_t free_mebibytes, uint64_t free_inodes) {
    return JudgeDiskSpace("/", {.total_bytes = 10000 * kMebibyte,
                                .free_bytes = free_mebibytes * kMebibyte,
                                .total_inodes = 1000,
                                .free_inodes = free_inodes})
        .outcome;
  };
  EXPECT_EQ(judge(1100, 500), Outcome::kOk);
  EXPECT_EQ(judge(900, 500), Outcome::kWarning);
  EXPECT_EQ(judge(1100, 90), Outcome::kWarning);
  EXPECT_EQ(judge(0, 500), Outcome::kFailed);
  EXPECT_EQ(judge(1100, 0), Outcome::kFailed);
  EXPECT_EQ(JudgeDiskSpace("/", {.total_bytes = 300 * kMebibyte,
                                 .free_bytes = 200 * kMebibyte})
                .outcome,
            Outcome::kWarning);
}

TEST(OwnCertificates, EachIsJudgedByItsDates) {
  const absl::Time now = absl::FromUnixSeconds(1800000000);
  const TempDir dir;
  EXPECT_EQ(CheckOwnCertificates(dir.path(), now)[0].outcome,
            Outcome::kSkipped);
  const auto authority = CertificateAuthority::Create(
      "CA", now - absl::Hours(1), now + absl::Hours(99));
  Write(dir.File("tls.crt"), authority->cert_pem(), 0600);
  Write(dir.File("other.crt"), "nonsense", 0600);
  const auto at = [&](absl::Duration later) {
    const CheckResults results = CheckOwnCertificates(dir.path(), now + later);
    EXPECT_THAT(results, SizeIs(2));
    EXPECT_EQ(results[0].outcome, Outcome::kFailed);
    return results[1].outcome;
  };
  EXPECT_EQ(at(absl::ZeroDuration()), Outcome::kOk);
  EXPECT_EQ(at(absl::Hours(80)), Outcome::kWarning);
  EXPECT_EQ(at(absl::Hours(100)), Outcome::kFailed);
  EXPECT_EQ(at(-absl::Hours(2)), Outcome::kFailed);
}

}  // namespace
}  // namespace mc::agent
