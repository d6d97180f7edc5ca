// Changes messages by their descriptors, so that most of them still parse.
#include <algorithm>
#include <limits>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/wrappers.pb.h"
#include "tests/fuzz/fuzz.h"

namespace mc::fuzz {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Around them lie the rules: hours, bounds of quantities and of the types.
constexpr int64_t kNumbers[] = {
    0,
    1,
    -1,
    59,
    300,
    3600,
    86400,
    999'999'999,
    1'000'000'000,
    1'795'255'200,
    1'000'000'000'000,
    1'000'000'000'000'000,
    std::numeric_limits<int32_t>::max(),
    std::numeric_limits<int64_t>::max(),
    std::numeric_limits<int64_t>::min(),
};

int64_t Number(int64_t before, Draw& draw) {
  switch (draw.Below(4)) {
    case 0:
      return kNumbers[draw.Below(std::size(kNumbers))];
    case 1:
      return static_cast<int64_t>(static_cast<uint64_t>(before) +
                                  draw.Below(7201) - 3600);
    case 2:
      return before ^ static_cast<int64_t>(uint64_t{1} << draw.Below(64));
    default:
      return static_cast<int64_t>(static_cast<uint64_t>(before) +
                                  (draw.Below(2) == 0 ? 1 : uint64_t{0} - 1));
  }
}

double Real(double before, Draw& draw) {
  constexpr double kReals[] = {0,
                               -0.5,
                               1,
                               1e15,
                               1e300,
                               std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::quiet_NaN()};
  return draw.Below(3) == 0 ? before * 2
                            : kReals[draw.Below(std::size(kReals))];
}

std::string Text(std::string before, Draw& draw) {
  constexpr size_t kLongest = 4096;
  if (draw.Below(8) == 0) return std::string(1 + draw.Below(300), 'x');
  const size_t room = std::min(before.size() + 8, kLongest);
  const size_t size = std::min(before.size(), room);
  before.resize(room);
  before.resize(
      LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(before.data()), size, room));
  return before;
}

// What else would be in a text is refused by the parser.
std::string Utf8(std::string text) {
  google::protobuf::StringValue value;
  value.set_value(text);
  if (!google::protobuf::StringValue().ParseFromString(
          value.SerializeAsString())) {
    for (char& c : text) c &= 0x7f;
  }
  return text;
}

// `index` -1: the field is not repeated.
void MutateValue(Message& message, const FieldDescriptor* field, int index,
                 Draw& draw) {
  const Reflection& r = *message.GetReflection();
  const bool one = index < 0;
  const auto change = [&](auto get, auto set, auto get_at, auto set_at,
                          auto mutate) {
    if (one) {
      (r.*set)(&message, field, mutate((r.*get)(message, field)));
    } else {
      (r.*set_at)(&message, field, index,
                  mutate((r.*get_at)(message, field, index)));
    }
  };
  const auto number = [&draw](auto before) {
    return static_cast<decltype(before)>(
        Number(static_cast<int64_t>(before), draw));
  };
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return change(&Reflection::GetInt32, &Reflection::SetInt32,
                    &Reflection::GetRepeatedInt32,
                    &Reflection::SetRepeatedInt32, number);
    case FieldDescriptor::CPPTYPE_INT64:
      return change(&Reflection::GetInt64, &Reflection::SetInt64,
                    &Reflection::GetRepeatedInt64,
                    &Reflection::SetRepeatedInt64, number);
    case FieldDescriptor::CPPTYPE_UINT32:
      return change(&Reflection::GetUInt32, &Reflection::SetUInt32,
                    &Reflection::GetRepeatedUInt32,
                    &Reflection::SetRepeatedUInt32, number);
    case FieldDescriptor::CPPTYPE_UINT64:
      return change(&Reflection::GetUInt64, &Reflection::SetUInt64,
                    &Reflection::GetRepeatedUInt64,
                    &Reflection::SetRepeatedUInt64, number);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return change(&Reflection::GetDouble, &Reflection::SetDouble,
                    &Reflection::GetRepeatedDouble,
                    &Reflection::SetRepeatedDouble,
                    [&](double before) { return Real(before, draw); });
    case FieldDescriptor::CPPTYPE_FLOAT:
      return change(
          &Reflection::GetFloat, &Reflection::SetFloat,
          &Reflection::GetRepeatedFloat, &Reflection::SetRepeatedFloat,
          [&](float before) { return static_cast<float>(Real(before, draw)); });
    case FieldDescriptor::CPPTYPE_BOOL:
      return change(&Reflection::GetBool, &Reflection::SetBool,
                    &Reflection::GetRepeatedBool, &Reflection::SetRepeatedBool,
                    [](bool before) { return !before; });
    case FieldDescriptor::CPPTYPE_ENUM:
      return change(&Reflection::GetEnumValue, &Reflection::SetEnumValue,
                    &Reflection::GetRepeatedEnumValue,
                    &Reflection::SetRepeatedEnumValue, [&](int) {
                      return static_cast<int>(
                          draw.Below(field->enum_type()->value_count() + 1));
                    });
    case FieldDescriptor::CPPTYPE_STRING: {
      const auto changed = [&](const std::string& before) {
        std::string text = Text(before, draw);
        return field->type() == FieldDescriptor::TYPE_STRING
                   ? Utf8(std::move(text))
                   : text;
      };
      // Newer protobuf has two that set.
      if (one) {
        r.SetString(&message, field, changed(r.GetString(message, field)));
      } else {
        r.SetRepeatedString(
            &message, field, index,
            changed(r.GetRepeatedString(message, field, index)));
      }
      return;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return MutateMessage(
          one ? *r.MutableMessage(&message, field)
              : *r.MutableRepeatedMessage(&message, field, index),
          draw);
  }
}

void AddElement(Message& message, const FieldDescriptor* field, Draw& draw) {
  const Reflection& r = *message.GetReflection();
  const int size = r.FieldSize(message, field);
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    Message* added = r.AddMessage(&message, field);
    // A copy, which is then changed or not: what comes twice is refused often.
    if (size > 0) {
      added->CopyFrom(r.GetRepeatedMessage(message, field,
                                           static_cast<int>(draw.Below(size))));
    }
    if (draw.Below(3) > 0) MutateMessage(*added, draw);
  } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    r.AddString(&message, field,
                size == 0 ? Utf8(Text("", draw))
                          : r.GetRepeatedString(message, field, 0));
  }
}

}  // namespace

void MutateMessage(Message& message, Draw& draw) {
  const Descriptor& type = *message.GetDescriptor();
  const Reflection& r = *message.GetReflection();
  if (type.field_count() == 0) return;
  // What is set is changed more often than something is added.
  std::vector<const FieldDescriptor*> set;
  r.ListFields(message, &set);
  const FieldDescriptor* field =
      set.empty() || draw.Below(4) == 0
          ? type.field(static_cast<int>(draw.Below(type.field_count())))
          : set[draw.Below(set.size())];
  if (draw.Below(24) == 0) return r.ClearField(&message, field);
  if (!field->is_repeated()) return MutateValue(message, field, -1, draw);
  const int size = r.FieldSize(message, field);
  if (size == 0 || draw.Below(5) == 0) {
    return AddElement(message, field, draw);
  }
  if (draw.Below(8) == 0) return r.RemoveLast(&message, field);
  if (draw.Below(8) == 0) {
    return r.SwapElements(&message, field, static_cast<int>(draw.Below(size)),
                          static_cast<int>(draw.Below(size)));
  }
  MutateValue(message, field, static_cast<int>(draw.Below(size)), draw);
}

}  // namespace mc::fuzz
