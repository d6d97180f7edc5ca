#include "common/wire/check.h"

#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/wire/grammar.h"
#include "common/wire/plan.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "missioncontrol/v1/common.pb.h"

namespace mc {
namespace {

namespace v1 = missioncontrol::v1;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using wire::Check;
using wire::FieldPlan;
using wire::MessageKind;
using wire::Plan;

constexpr int64_t kFirstSecond = 946'684'800;    // 2000-01-01T00:00:00Z
constexpr int64_t kLastSecond = 7'258'118'400;   // 2200-01-01T00:00:00Z
constexpr int64_t kMaxSeconds = 3650LL * 86400;  // 10 years of 365 days
constexpr int32_t kNanosEnd = 1'000'000'000;

// What is wrong with the message, told from the inside out: nothing is
// allocated unless something is.
struct Problem {
  std::string path;
  const char* text = nullptr;
  v1::ErrorReason reason = v1::ERROR_REASON_INVALID_FIELD;

  bool found() const { return text != nullptr; }
  // Puts the field in front of the path; index -1: the whole field.
  void Enter(const FieldDescriptor& field, int index) {
    const std::string inner = std::exchange(path, std::string(field.name()));
    if (index >= 0) absl::StrAppend(&path, "[", index, "]");
    if (!inner.empty()) absl::StrAppend(&path, ".", inner);
  }
};

// The last second has no nanos.
bool Within(int64_t seconds, int32_t nanos, int64_t first, int64_t last) {
  return nanos >= 0 && nanos < kNanosEnd && seconds >= first &&
         (seconds < last || (seconds == last && nanos == 0));
}

const char* TimestampProblem(const google::protobuf::Timestamp& time) {
  return Within(time.seconds(), time.nanos(), kFirstSecond, kLastSecond)
             ? nullptr
             : "must be a time from 2000-01-01 to 2200-01-01";
}

const char* DurationProblem(const google::protobuf::Duration& duration) {
  return Within(duration.seconds(), duration.nanos(), 0, kMaxSeconds)
             ? nullptr
             : "must be a duration from 0 to 10 years";
}

// Without reflection: a report is full of them.
void CheckTimeFrame(const v1::TimeFrame& frame, Problem& problem) {
  const auto& start = frame.start();
  const auto& end = frame.end();
  if (frame.has_start() && (problem.text = TimestampProblem(start))) {
    problem.path = "start";
  } else if (frame.has_end() && (problem.text = TimestampProblem(end))) {
    problem.path = "end";
  } else if (!frame.has_start() || !frame.has_end()) {
    problem.text = "must have a start and an end";
    problem.reason = v1::ERROR_REASON_TIME_FRAME_INVALID;
  } else if (start.seconds() > end.seconds() ||
             (start.seconds() == end.seconds() &&
              start.nanos() >= end.nanos())) {
    problem.text = "must start before it ends";
    problem.reason = v1::ERROR_REASON_TIME_FRAME_INVALID;
  }
}

// The value of a field, or of its entry where the index is not -1.
const Message& GetMessage(const Message& message, const Reflection& reflection,
                          const FieldDescriptor* field, int index) {
  return index < 0 ? reflection.GetMessage(message, field)
                   : reflection.GetRepeatedMessage(message, field, index);
}

const std::string& GetText(const Message& message, const Reflection& reflection,
                           const FieldDescriptor* field, int index,
                           std::string* scratch) {
  return index < 0 ? reflection.GetStringReference(message, field, scratch)
                   : reflection.GetRepeatedStringReference(message, field,
                                                           index, scratch);
}

// False for NaN, too.
bool IsQuantity(const Message& message, const Reflection& reflection,
                const FieldDescriptor* field, int index) {
  const auto within = [](auto value) {
    return value >= 0 && value <= kMaxQuantity;
  };
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT64:
      return within(index < 0
                        ? reflection.GetInt64(message, field)
                        : reflection.GetRepeatedInt64(message, field, index));
    case FieldDescriptor::CPPTYPE_INT32:
      return within(index < 0
                        ? reflection.GetInt32(message, field)
                        : reflection.GetRepeatedInt32(message, field, index));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return within(index < 0
                        ? reflection.GetDouble(message, field)
                        : reflection.GetRepeatedDouble(message, field, index));
    default:
      return within(double{
          index < 0 ? reflection.GetFloat(message, field)
                    : reflection.GetRepeatedFloat(message, field, index)});
  }
}

void CheckFields(const Plan& plan, const Message& message, Problem& problem);

void CheckValue(const FieldPlan& plan, const Message& message,
                const Reflection& reflection, int index, Problem& problem) {
  switch (plan.check) {
    case Check::kMessage:
      CheckFields(*plan.message,
                  GetMessage(message, reflection, plan.field, index), problem);
      break;
    case Check::kText:
    case Check::kBytes: {
      std::string scratch;
      const std::string_view text =
          GetText(message, reflection, plan.field, index, &scratch);
      if (plan.format != v1::FORMAT_UNSPECIFIED) {
        problem.text = FormatProblem(plan.format, text);
      } else if (text.find('\0') != std::string_view::npos) {
        problem.text = "must not hold NUL";
      }
      break;
    }
    case Check::kNumber:
      if (!IsQuantity(message, reflection, plan.field, index)) {
        problem.text = "must be from 0 to 10^15";
      }
      break;
    case Check::kCount:
      break;
  }
  if (problem.found()) problem.Enter(*plan.field, index);
}

void CheckField(const FieldPlan& plan, const Message& message,
                const Reflection& reflection, Problem& problem) {
  if (!plan.repeated) {
    if (!plan.has_presence || reflection.HasField(message, plan.field)) {
      CheckValue(plan, message, reflection, -1, problem);
    }
    return;
  }
  const int size = reflection.FieldSize(message, plan.field);
  if (size > kMaxEntries) {
    problem.text = "must not have more than 10000 entries";
    problem.Enter(*plan.field, -1);
    return;
  }
  if (plan.check == Check::kCount) return;
  for (int i = 0; i < size && !problem.found(); ++i) {
    CheckValue(plan, message, reflection, i, problem);
  }
}

void CheckFields(const Plan& plan, const Message& message, Problem& problem) {
  // The plan's kind says that the message is of that generated type.
  switch (plan.kind) {
    case MessageKind::kTimestamp:
      problem.text = TimestampProblem(
          static_cast<const google::protobuf::Timestamp&>(message));
      return;
    case MessageKind::kDuration:
      problem.text = DurationProblem(
          static_cast<const google::protobuf::Duration&>(message));
      return;
    case MessageKind::kTimeFrame:
      return CheckTimeFrame(static_cast<const v1::TimeFrame&>(message),
                            problem);
    case MessageKind::kPlain:
      break;
  }
  const Reflection& reflection = *message.GetReflection();
  for (const FieldPlan& field : plan.fields) {
    CheckField(field, message, reflection, problem);
    if (problem.found()) return;
  }
}

}  // namespace

absl::Status CheckMessage(const Message& message) {
  Problem problem;
  CheckFields(wire::PlanOf(message.GetDescriptor()), message, problem);
  if (!problem.found()) return absl::OkStatus();
  if (problem.reason == v1::ERROR_REASON_INVALID_FIELD) {
    return InvalidField(problem.path, problem.text);
  }
  return Error(absl::StatusCode::kInvalidArgument, problem.reason,
               absl::StrCat(problem.path, ": ", problem.text),
               {{"field", problem.path}});
}

}  // namespace mc
