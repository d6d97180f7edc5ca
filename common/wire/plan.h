// What is to be checked in the messages of a type, worked out once from its
// descriptor and kept: asking descriptors for options on every message would
// cost more than the checks.
#ifndef COMMON_WIRE_PLAN_H_
#define COMMON_WIRE_PLAN_H_

#include <vector>

#include "google/protobuf/descriptor.h"
#include "missioncontrol/v1/options.pb.h"

namespace mc::wire {

enum class Check {
  kText,    // by its format; only NUL is refused where there is none
  kBytes,   // by its format
  kNumber,  // finite, 0 to the bound
  kCount,   // only the number of entries
  kMessage,
};

struct Plan;

struct FieldPlan {
  const google::protobuf::FieldDescriptor* field = nullptr;
  Check check = Check::kMessage;
  bool repeated = false;
  // Read only where it is set: messages, and what is in a oneof.
  bool has_presence = false;
  missioncontrol::v1::Format format = missioncontrol::v1::FORMAT_UNSPECIFIED;
  // Of messages; owned by the cache. Never null then.
  const Plan* message = nullptr;
};

enum class MessageKind { kPlain, kTimestamp, kDuration, kTimeFrame };

struct Plan {
  MessageKind kind = MessageKind::kPlain;
  // Fields without a rule are left out.
  std::vector<FieldPlan> fields;
};

// Thread-safe. For generated types only: plans stay as long as the process.
const Plan& PlanOf(const google::protobuf::Descriptor* descriptor);

}  // namespace mc::wire

#endif  // COMMON_WIRE_PLAN_H_
