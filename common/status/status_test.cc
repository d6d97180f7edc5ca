#include "common/status/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/cord.h"
#include "common/status/grpc_status.h"

namespace mc {
namespace {

namespace v1 = missioncontrol::v1;

TEST(Status, CarriesReasonDomainAndMetadata) {
  const absl::Status status =
      Error(absl::StatusCode::kFailedPrecondition,
            v1::ERROR_REASON_LICENSE_EXPIRED, "Renew it.", {{"id", "7"}});
  const auto info = ErrorInfoOf(status);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->reason(), "LICENSE_EXPIRED");
  EXPECT_EQ(info->domain(), "missioncontrol");
  EXPECT_EQ(info->metadata().at("id"), "7");
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_LICENSE_EXPIRED);
  EXPECT_EQ(ResultName(status), "FAILED_PRECONDITION/LICENSE_EXPIRED");
}

TEST(Status, WithoutDetailsHasNoReason) {
  EXPECT_FALSE(ErrorInfoOf(absl::InternalError("x")));
  EXPECT_EQ(ReasonOf(absl::InternalError("x")), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(ResultName(absl::InternalError("x")), "INTERNAL");
  EXPECT_EQ(ResultName(absl::OkStatus()), "OK");
}

TEST(Status, AReasonOfANewerContractIsUnspecified) {
  EXPECT_EQ(ReasonName(static_cast<v1::ErrorReason>(99999)), "UNSPECIFIED");
  google::rpc::ErrorInfo info;
  info.set_reason("OF_TOMORROW");
  absl::Status status = absl::InternalError("x");
  status.SetPayload("type.googleapis.com/google.rpc.ErrorInfo",
                    absl::Cord(info.SerializeAsString()));
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(ErrorInfoOf(status)->reason(), "OF_TOMORROW");
}

TEST(Status, InvalidFieldNamesTheField) {
  const absl::Status status = InvalidField("nodes[1].node_id", "is too long");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorInfoOf(status)->metadata().at("field"), "nodes[1].node_id");
  EXPECT_EQ(status.message(), "nodes[1].node_id: is too long");
}

TEST(Status, CrossesTheWireWhole) {
  const absl::Status sent =
      WithRetryDelay(Error(absl::StatusCode::kUnavailable,
                           v1::ERROR_REASON_OVERLOADED, "Try again."),
                     absl::Milliseconds(1500));
  const absl::Status received = FromGrpc(ToGrpc(sent));
  EXPECT_EQ(received, sent);
  EXPECT_EQ(RetryDelayOf(received), absl::Milliseconds(1500));
}

TEST(Status, ForeignDetailsDoNotHarm) {
  const absl::Status received =
      FromGrpc(grpc::Status(grpc::StatusCode::INTERNAL, "x", "\xff garbage"));
  EXPECT_EQ(received, absl::InternalError("x"));
}

TEST(Status, ExitCodesTellTheKindsOfFailureApart) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), 1);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), 2);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), 3);
  EXPECT_EQ(ExitCodeOf(absl::PermissionDeniedError("")), 4);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), 5);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError("")), 6);
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError("")), 7);
  EXPECT_EQ(ExitCodeOf(absl::UnimplementedError("")), 8);
}

}  // namespace
}  // namespace mc
