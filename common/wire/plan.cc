#include "common/wire/plan.h"

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "missioncontrol/v1/common.pb.h"

namespace mc::wire {
namespace {

namespace v1 = missioncontrol::v1;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// Types may hold themselves: a plan is entered before its fields are filled in,
// all under the lock, so that others see it only when everything that it
// reaches is complete.
class Cache {
 public:
  const Plan& Get(const Descriptor* descriptor) {
    {
      absl::ReaderMutexLock lock(&mutex_);
      const auto found = plans_.find(descriptor);
      if (found != plans_.end()) return *found->second;
    }
    absl::MutexLock lock(&mutex_);
    return Add(descriptor);
  }

 private:
  const Plan& Add(const Descriptor* descriptor)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::unique_ptr<Plan>& entry = plans_[descriptor];
    if (entry != nullptr) return *entry;
    entry = std::make_unique<Plan>();
    // Adding others moves the entry, not the plan.
    Plan& plan = *entry;
    if (descriptor == google::protobuf::Timestamp::descriptor()) {
      plan.kind = MessageKind::kTimestamp;
      return plan;
    }
    if (descriptor == google::protobuf::Duration::descriptor()) {
      plan.kind = MessageKind::kDuration;
      return plan;
    }
    if (descriptor == v1::TimeFrame::descriptor()) {
      plan.kind = MessageKind::kTimeFrame;
      return plan;
    }
    for (int i = 0; i < descriptor->field_count(); ++i) {
      FieldPlan field;
      field.field = descriptor->field(i);
      if (Fill(field)) plan.fields.push_back(field);
    }
    return plan;
  }

  // False: the field needs no check.
  bool Fill(FieldPlan& plan) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const FieldDescriptor& field = *plan.field;
    plan.repeated = field.is_repeated();
    plan.has_presence = field.has_presence();
    plan.format = field.options().GetExtension(v1::format);
    switch (field.type()) {
      case FieldDescriptor::TYPE_MESSAGE:
      case FieldDescriptor::TYPE_GROUP:
        plan.check = Check::kMessage;
        plan.message = &Add(field.message_type());
        return true;
      case FieldDescriptor::TYPE_STRING:
        plan.check = Check::kText;
        return true;
      case FieldDescriptor::TYPE_BYTES:
        if (plan.format == v1::FORMAT_UNSPECIFIED) break;
        plan.check = Check::kBytes;
        return true;
      case FieldDescriptor::TYPE_DOUBLE:
      case FieldDescriptor::TYPE_FLOAT:
      case FieldDescriptor::TYPE_INT32:
      case FieldDescriptor::TYPE_INT64:
      case FieldDescriptor::TYPE_SFIXED32:
      case FieldDescriptor::TYPE_SFIXED64:
        plan.check = Check::kNumber;
        return true;
      // Signed on purpose (sint), or numbers of their own (unsigned epochs,
      // sequences, revisions).
      default:
        break;
    }
    plan.check = Check::kCount;
    return plan.repeated;
  }

  absl::Mutex mutex_;
  absl::flat_hash_map<const Descriptor*, std::unique_ptr<Plan>> plans_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace

const Plan& PlanOf(const Descriptor* descriptor) {
  // Holds nothing but what the program's own descriptors say; never destroyed.
  static Cache& cache = *new Cache();
  return cache.Get(descriptor);
}

}  // namespace mc::wire
