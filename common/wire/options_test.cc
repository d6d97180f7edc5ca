// Every field that leaves a cluster says what it is about and what may stand
// in it: the agent's filter and the service's checks are driven by that alone.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "missioncontrol/v1/cluster_service.pb.h"
#include "missioncontrol/v1/common.pb.h"
#include "missioncontrol/v1/enrollment_service.pb.h"
#include "missioncontrol/v1/options.pb.h"

namespace mc {
namespace {

namespace v1 = missioncontrol::v1;
using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::ServiceDescriptor;

// The services' files hold no message that a program would name: unless their
// descriptors are asked for, the linker leaves them out.
void LinkServices() {
  const void* volatile table =
      &::descriptor_table_missioncontrol_2fv1_2fcluster_5fservice_2eproto;
  table =
      &::descriptor_table_missioncontrol_2fv1_2fenrollment_5fservice_2eproto;
  EXPECT_NE(table, nullptr);
}

class Walk {
 public:
  void Service(const std::string& name) {
    const ServiceDescriptor* service =
        DescriptorPool::generated_pool()->FindServiceByName(
            "missioncontrol.v1." + name);
    ASSERT_NE(service, nullptr) << name;
    for (int i = 0; i < service->method_count(); ++i) {
      Message(service->method(i)->input_type());
    }
  }

  void Message(const Descriptor* message) {
    if (!seen_.insert(message).second) return;
    for (int i = 0; i < message->field_count(); ++i) {
      Field(*message->field(i));
    }
  }

  const std::vector<std::string>& problems() const { return problems_; }
  bool Saw(const Descriptor* message) const { return seen_.contains(message); }

 private:
  void Field(const FieldDescriptor& field) {
    if (field.options().GetExtension(v1::category) ==
        v1::DATA_CATEGORY_UNSPECIFIED) {
      problems_.push_back(
          absl::StrCat(field.full_name(), " has no (category)"));
    }
    if ((field.type() == FieldDescriptor::TYPE_STRING ||
         field.type() == FieldDescriptor::TYPE_BYTES) &&
        field.options().GetExtension(v1::format) == v1::FORMAT_UNSPECIFIED) {
      problems_.push_back(absl::StrCat(field.full_name(), " has no (format)"));
    }
    const Descriptor* type = field.message_type();
    if (type == nullptr) return;
    if (type->file()->package() == "missioncontrol.v1") return Message(type);
    if (type->full_name() != "google.protobuf.Timestamp" &&
        type->full_name() != "google.protobuf.Duration") {
      problems_.push_back(
          absl::StrCat(field.full_name(), " is of type ", type->full_name()));
    }
  }

  std::set<const Descriptor*> seen_;
  std::vector<std::string> problems_;
};

TEST(Options, EveryFieldThatLeavesAClusterHasThem) {
  LinkServices();
  Walk walk;
  walk.Service("EnrollmentService");
  walk.Service("ClusterService");
  for (const std::string& problem : walk.problems()) ADD_FAILURE() << problem;
  // The walk went all the way in.
  for (const char* name :
       {"RegisterRequest", "HostConsumption", "StoragePartition",
        "OutboxEventDetails", "InstalledVersion", "DiagnosticsChunk"}) {
    EXPECT_TRUE(
        walk.Saw(DescriptorPool::generated_pool()->FindMessageTypeByName(
            std::string("missioncontrol.v1.") + name)))
        << name;
  }
}

TEST(Options, FieldsWithoutThemAreNamed) {
  Walk walk;
  walk.Message(v1::DocumentKey::descriptor());
  EXPECT_EQ(walk.problems(),
            (std::vector<std::string>{
                "missioncontrol.v1.DocumentKey.key_id has no (category)",
                "missioncontrol.v1.DocumentKey.key_id has no (format)",
                "missioncontrol.v1.DocumentKey.public_key has no (category)",
                "missioncontrol.v1.DocumentKey.public_key has no (format)"}));
}

}  // namespace
}  // namespace mc
