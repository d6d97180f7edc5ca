#include "tests/support/message_filler.h"

#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/message_differencer.h"
#include "missioncontrol/v1/common.pb.h"
#include "missioncontrol/v1/options.pb.h"

namespace mc::testing {
namespace {

namespace v1 = missioncontrol::v1;
using google::protobuf::Descriptor;
using google::protobuf::Duration;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;
using google::protobuf::Timestamp;

constexpr int kElements = 2;

}  // namespace

void MessageFiller::Fill(Message& message) { FillMessage(message, -1); }

void MessageFiller::FillMessage(Message& message, int index) {
  const Descriptor* type = message.GetDescriptor();
  if (type == Timestamp::descriptor()) {
    SetTime(message, options_.hour_seconds);
    return;
  }
  if (type == Duration::descriptor()) {
    static_cast<Duration&>(message).set_seconds(Next());
    static_cast<Duration&>(message).set_nanos(static_cast<int32_t>(Next()));
    return;
  }
  if (type == v1::TimeFrame::descriptor()) {
    FillTimeFrame(message, index);
    return;
  }
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->real_containing_oneof() == nullptr) FillField(message, field);
  }
  for (int i = 0; i < type->real_oneof_decl_count(); ++i) {
    const OneofDescriptor* oneof = type->oneof_decl(i);
    const int turn = turns_[std::string(oneof->full_name())]++;
    FillField(message, oneof->field(turn % oneof->field_count()));
  }
}

void MessageFiller::FillTimeFrame(Message& message, int index) {
  auto& frame = static_cast<v1::TimeFrame&>(message);
  int64_t start = options_.hour_seconds + 60;
  int64_t end = options_.hour_seconds + 3540;
  if (index >= 0) {
    start += 120 + index * int64_t{600};
    end = start + 300;
  }
  SetTime(*frame.mutable_start(), start);
  SetTime(*frame.mutable_end(), end);
  filled_.push_back("missioncontrol.v1.TimeFrame.start");
  filled_.push_back("missioncontrol.v1.TimeFrame.end");
}

void MessageFiller::SetTime(Message& timestamp, int64_t seconds) {
  static_cast<Timestamp&>(timestamp).set_seconds(seconds);
  static_cast<Timestamp&>(timestamp).set_nanos(static_cast<int32_t>(Next()));
}

void MessageFiller::FillField(Message& message, const FieldDescriptor* field) {
  const Reflection* reflection = message.GetReflection();
  filled_.emplace_back(field->full_name());
  const bool repeated = field->is_repeated();
  for (int i = 0; i < (repeated ? kElements : 1); ++i) {
    const auto put = [&](auto set, auto add, auto value) {
      repeated ? (reflection->*add)(&message, field, value)
               : (reflection->*set)(&message, field, value);
    };
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        put(&Reflection::SetInt32, &Reflection::AddInt32,
            static_cast<int32_t>(Next()));
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        put(&Reflection::SetInt64, &Reflection::AddInt64, Next());
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        put(&Reflection::SetUInt32, &Reflection::AddUInt32,
            static_cast<uint32_t>(Next()));
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        put(&Reflection::SetUInt64, &Reflection::AddUInt64,
            static_cast<uint64_t>(Next()));
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        put(&Reflection::SetDouble, &Reflection::AddDouble,
            static_cast<double>(Next()) + 0.5);
        break;
      case FieldDescriptor::CPPTYPE_FLOAT:
        put(&Reflection::SetFloat, &Reflection::AddFloat,
            static_cast<float>(Next()) + 0.5F);
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        put(&Reflection::SetBool, &Reflection::AddBool, true);
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        put(&Reflection::SetEnumValue, &Reflection::AddEnumValue,
            EnumNumber(field));
        break;
      case FieldDescriptor::CPPTYPE_STRING:
        // Newer protobuf has two of each.
        if (repeated) {
          reflection->AddString(&message, field, Text(field));
        } else {
          reflection->SetString(&message, field, Text(field));
        }
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (repeated) {
          FillMessage(*reflection->AddMessage(&message, field), i);
        } else {
          FillMessage(*reflection->MutableMessage(&message, field), -1);
        }
        break;
    }
  }
}

int MessageFiller::EnumNumber(const FieldDescriptor* field) {
  // Value 0 is the default; every other one gets its turn.
  const auto* type = field->enum_type();
  const int turn = turns_[std::string(type->full_name())]++;
  return type->value(1 + turn % (type->value_count() - 1))->number();
}

std::string MessageFiller::Text(const FieldDescriptor* field) {
  const auto given = options_.texts.find(std::string(field->full_name()));
  if (given != options_.texts.end()) return given->second;
  const std::string number = std::to_string(Next());
  switch (field->options().GetExtension(v1::format)) {
    case v1::FORMAT_ID:
      return "id-" + number;
    case v1::FORMAT_VERSION:
      return "1." + number + ".0";
    case v1::FORMAT_TIME_ZONE:
      // One that exists, for only those can be checked.
      return "Europe/Vienna";
    case v1::FORMAT_TOKEN:
      return "token-" + number;
    case v1::FORMAT_OPAQUE:
      return "opaque-" + number;
    case v1::FORMAT_FREE_TEXT:
      return "free text " + number + " \u00e4\u00f6\u00fc";
    default:
      return "text-" + number;
  }
}

std::string Difference(const Message& expected, const Message& actual) {
  std::string report;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&report);
  return differencer.Compare(expected, actual) ? "" : report;
}

}  // namespace mc::testing
