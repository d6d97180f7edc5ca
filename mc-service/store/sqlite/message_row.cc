#include "mc-service/store/sqlite/message_row.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace mc::service {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Duration;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::Timestamp;
using sqlite::Statement;

constexpr int64_t kNanosPerSecond = 1'000'000'000;
// Whole seconds whose nanoseconds fit into 64 bits.
constexpr int64_t kMaxSeconds =
    std::numeric_limits<int64_t>::max() / kNanosPerSecond - 1;

enum class Kind { kTimestamp, kDuration, kMessage, kScalar };

Kind KindOf(const FieldDescriptor* field) {
  if (field->message_type() == nullptr) return Kind::kScalar;
  if (field->message_type() == Timestamp::descriptor()) return Kind::kTimestamp;
  if (field->message_type() == Duration::descriptor()) return Kind::kDuration;
  return Kind::kMessage;
}

void AddColumns(const Descriptor* type, const std::string& prefix,
                std::vector<std::string>& columns) {
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->is_repeated()) continue;
    const std::string name = absl::StrCat(prefix, field->name());
    switch (KindOf(field)) {
      case Kind::kTimestamp:
      case Kind::kDuration:
        columns.push_back(absl::StrCat(name, "_ns"));
        break;
      case Kind::kMessage:
        columns.push_back(absl::StrCat("has_", name));
        AddColumns(field->message_type(), absl::StrCat(name, "_"), columns);
        break;
      case Kind::kScalar:
        columns.push_back(name);
        break;
    }
  }
}

absl::Status DoesNotFit(const FieldDescriptor* field) {
  return absl::InvalidArgumentError(absl::StrCat(
      field->full_name(), " is no valid time between the years 1678 and 2261"));
}

// Times and durations alike: nanos of a time are never negative, those of a
// duration have the sign of its seconds, so either has one number.
template <typename T>
bool Fits(const T& value) {
  if (value.seconds() > kMaxSeconds || value.seconds() < -kMaxSeconds ||
      value.nanos() >= kNanosPerSecond || value.nanos() <= -kNanosPerSecond) {
    return false;
  }
  if constexpr (std::is_same_v<T, Timestamp>) return value.nanos() >= 0;
  return value.nanos() == 0 || value.seconds() == 0 ||
         (value.nanos() < 0) == (value.seconds() < 0);
}

template <typename T>
absl::Status BindNanos(const FieldDescriptor* field, const T& value, int index,
                       Statement& statement) {
  if (!Fits(value)) return DoesNotFit(field);
  statement.Bind(index, value.seconds() * kNanosPerSecond + value.nanos());
  return absl::OkStatus();
}

void BindScalar(const Message& message, const FieldDescriptor* field, int index,
                Statement& statement) {
  const Reflection* reflection = message.GetReflection();
  std::string scratch;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      statement.Bind(index, reflection->GetInt32(message, field));
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      statement.Bind(index, reflection->GetInt64(message, field));
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      statement.Bind(index, reflection->GetUInt32(message, field));
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      statement.Bind(index, reflection->GetUInt64(message, field));
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      statement.Bind(index, reflection->GetDouble(message, field));
      break;
    case FieldDescriptor::CPPTYPE_FLOAT:
      statement.Bind(index, double{reflection->GetFloat(message, field)});
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      statement.Bind(index, reflection->GetBool(message, field));
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      statement.Bind(index, reflection->GetEnumValue(message, field));
      break;
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string& text =
          reflection->GetStringReference(message, field, &scratch);
      if (field->type() == FieldDescriptor::TYPE_BYTES) {
        statement.Bind(index, sqlite::Blob{text});
      } else {
        statement.Bind(index, text);
      }
      break;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
}

void ReadScalar(const Statement& statement, int column,
                const FieldDescriptor* field, Message& message) {
  const Reflection* reflection = message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      reflection->SetInt32(&message, field,
                           static_cast<int32_t>(statement.Int64(column)));
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      reflection->SetInt64(&message, field, statement.Int64(column));
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      reflection->SetUInt32(&message, field,
                            static_cast<uint32_t>(statement.Int64(column)));
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      reflection->SetUInt64(&message, field, statement.Uint64(column));
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      reflection->SetDouble(&message, field, statement.Double(column));
      break;
    case FieldDescriptor::CPPTYPE_FLOAT:
      reflection->SetFloat(&message, field,
                           static_cast<float>(statement.Double(column)));
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      reflection->SetBool(&message, field, statement.Bool(column));
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      reflection->SetEnumValue(&message, field,
                               static_cast<int>(statement.Int64(column)));
      break;
    case FieldDescriptor::CPPTYPE_STRING:
      reflection->SetString(&message, field,
                            field->type() == FieldDescriptor::TYPE_BYTES
                                ? statement.BlobBytes(column)
                                : statement.Text(column));
      break;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
}

// `message` is null where the submessage is absent: its columns are NULL.
absl::Status BindFields(const Descriptor* type, const Message* message,
                        int& index, Statement& statement) {
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->is_repeated()) continue;
    const Reflection* reflection =
        message == nullptr ? nullptr : message->GetReflection();
    const bool present =
        message != nullptr &&
        (!field->has_presence() || reflection->HasField(*message, field));
    const Kind kind = KindOf(field);
    if (kind == Kind::kMessage) {
      statement.Bind(index++, present);
      absl::Status bound = BindFields(
          field->message_type(),
          present ? &reflection->GetMessage(*message, field) : nullptr, index,
          statement);
      if (!bound.ok()) return bound;
      continue;
    }
    const int here = index++;
    if (!present) {
      statement.Bind(here, std::nullopt);
    } else if (kind == Kind::kScalar) {
      BindScalar(*message, field, here, statement);
    } else {
      const Message& value = reflection->GetMessage(*message, field);
      absl::Status bound =
          kind == Kind::kTimestamp
              ? BindNanos(field, static_cast<const Timestamp&>(value), here,
                          statement)
              : BindNanos(field, static_cast<const Duration&>(value), here,
                          statement);
      if (!bound.ok()) return bound;
    }
  }
  return absl::OkStatus();
}

// `message` is null where the submessage is absent: its columns are skipped.
void ReadFields(const Descriptor* type, const Statement& statement, int& column,
                Message* message) {
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->is_repeated()) continue;
    const int here = column++;
    const Kind kind = KindOf(field);
    if (kind == Kind::kMessage) {
      const bool present = message != nullptr && statement.Bool(here);
      ReadFields(field->message_type(), statement, column,
                 present
                     ? message->GetReflection()->MutableMessage(message, field)
                     : nullptr);
      continue;
    }
    if (message == nullptr || statement.IsNull(here)) continue;
    if (kind == Kind::kScalar) {
      ReadScalar(statement, here, field, *message);
      continue;
    }
    Message* value = message->GetReflection()->MutableMessage(message, field);
    int64_t seconds = statement.Int64(here) / kNanosPerSecond;
    int64_t nanos = statement.Int64(here) % kNanosPerSecond;
    if (kind == Kind::kDuration) {
      static_cast<Duration*>(value)->set_seconds(seconds);
      static_cast<Duration*>(value)->set_nanos(static_cast<int32_t>(nanos));
      continue;
    }
    if (nanos < 0) {
      nanos += kNanosPerSecond;
      --seconds;
    }
    static_cast<Timestamp*>(value)->set_seconds(seconds);
    static_cast<Timestamp*>(value)->set_nanos(static_cast<int32_t>(nanos));
  }
}

}  // namespace

std::vector<std::string> RowColumns(const Descriptor* type) {
  std::vector<std::string> columns;
  AddColumns(type, "", columns);
  return columns;
}

absl::Status BindRow(const Message& message, int first, Statement& statement) {
  return BindFields(message.GetDescriptor(), &message, first, statement);
}

void ReadRow(const Statement& statement, int first, Message& message) {
  ReadFields(message.GetDescriptor(), statement, first, &message);
}

}  // namespace mc::service
