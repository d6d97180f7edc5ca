#include "mc-service/api/call.h"

#include <gtest/gtest.h>

#include "common/status/status.h"

namespace mc::service {
namespace {

constexpr char kMethod[] = "/missioncontrol.v1.ClusterService/CheckLicense";

TEST(PublicStatus, FaultLeavesWithoutItsDetail) {
  for (const absl::Status& fault :
       {absl::InternalError("secret"), absl::UnknownError("secret"),
        // Nobody gave it a reason: it is not meant for the caller.
        absl::NotFoundError("secret")}) {
    const absl::Status status = PublicStatus(kMethod, fault);
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_INTERNAL_FAULT);
    EXPECT_EQ(status.ToString().find("secret"), std::string::npos);
  }
}

TEST(PublicStatus, StoreInTroubleIsToBeTriedAgain) {
  for (const absl::Status& fault :
       {absl::DataLossError("disk"), absl::UnavailableError("disk")}) {
    const absl::Status status = PublicStatus(kMethod, fault);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_STORE_UNAVAILABLE);
    EXPECT_EQ(status.ToString().find("disk"), std::string::npos);
  }
}

TEST(PublicStatus, ErrorWithAReasonStaysAsItIs) {
  const absl::Status error = InvalidField("cluster_id", "is not a UUID");
  EXPECT_EQ(PublicStatus(kMethod, error), error);
  EXPECT_TRUE(PublicStatus(kMethod, absl::OkStatus()).ok());
}

TEST(CallRunner, MethodThatIsNotBuiltYetIsNamed) {
  const absl::Status status = CallRunner::NotSupportedYet(kMethod);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_NOT_SUPPORTED_YET);
  EXPECT_EQ(status.message().substr(0, 12), "CheckLicense");
}

}  // namespace
}  // namespace mc::service
