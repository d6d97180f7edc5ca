#include "common/config/yaml_config.h"

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <sstream>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "common/files/files.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"

namespace mc {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kMaxConfigBytes = 1 << 20;
constexpr int kMaxDepth = 32;

// PERMISSION_ALLOWED of enum Permission -> allowed.
std::string YamlName(const EnumValueDescriptor& value) {
  std::string prefix;
  for (const char c : value.type()->name()) {
    if (absl::ascii_isupper(c) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(c);
  }
  std::string name(value.name());
  if (absl::StartsWith(name, prefix + "_")) name.erase(0, prefix.size() + 1);
  return absl::AsciiStrToLower(name);
}

// UTF-8 (RFC 3629) without NUL: what a string of protobuf may hold, and what a
// path does not end at.
bool IsText(std::string_view text) {
  constexpr uint32_t kLeast[] = {1, 0x80, 0x800, 0x10000};
  for (size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const int more = lead < 0x80             ? 0
                     : (lead & 0xe0) == 0xc0 ? 1
                     : (lead & 0xf0) == 0xe0 ? 2
                     : (lead & 0xf8) == 0xf0 ? 3
                                             : -1;
    if (more < 0 || text.size() - i <= static_cast<size_t>(more)) return false;
    uint32_t point = more == 0 ? lead : lead & (0x3f >> more);
    for (int j = 0; j < more; ++j) {
      const auto next = static_cast<unsigned char>(text[++i]);
      if ((next & 0xc0) != 0x80) return false;
      point = point << 6 | (next & 0x3f);
    }
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    if (point < kLeast[more] || point > 0x10ffff || surrogate) return false;
  }
  return true;
}

class Loader {
 public:
  explicit Loader(std::string_view name) : name_(name) {}

  absl::Status Fill(const YAML::Node& node, const std::string& path, int depth,
                    Message* out) {
    if (depth > kMaxDepth) return Wrong(node, path, "is nested too deeply");
    if (node.IsNull()) return absl::OkStatus();
    if (!node.IsMap()) {
      return Wrong(node, path, "must have keys below it: " + Keys(*out));
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) return Wrong(entry.first, path, "bad key");
      const std::string key = entry.first.Scalar();
      const std::string at = path.empty() ? key : absl::StrCat(path, ".", key);
      const FieldDescriptor* field = out->GetDescriptor()->FindFieldByName(key);
      if (field == nullptr) {
        return Wrong(entry.first, at,
                     "is not a known key; known here: " + Keys(*out));
      }
      if (!seen.insert(key).second) {
        return Wrong(entry.first, at, "is given twice");
      }
      if (absl::Status status = FillField(entry.second, at, depth, *field, out);
          !status.ok()) {
        return status;
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Wrong(const YAML::Node& node, const std::string& path,
                     const std::string& what) const {
    const int line = node.Mark().line + 1;
    return absl::InvalidArgumentError(absl::StrCat(
        name_, ":", line, ": ", path, path.empty() ? "" : " ", what));
  }

  static std::string Keys(const Message& message) {
    const Descriptor& descriptor = *message.GetDescriptor();
    std::vector<std::string> keys;
    for (int i = 0; i < descriptor.field_count(); ++i) {
      keys.emplace_back(descriptor.field(i)->name());
    }
    return absl::StrJoin(keys, ", ");
  }

  absl::Status FillField(const YAML::Node& node, const std::string& path,
                         int depth, const FieldDescriptor& field,
                         Message* out) {
    if (!field.is_repeated()) return FillOne(node, path, depth, field, out);
    if (node.IsNull()) return absl::OkStatus();
    if (!node.IsSequence()) return Wrong(node, path, "must be a list");
    int index = 0;
    for (const YAML::Node& item : node) {
      if (absl::Status status = FillOne(
              item, absl::StrCat(path, "[", index++, "]"), depth, field, out);
          !status.ok()) {
        return status;
      }
    }
    return absl::OkStatus();
  }

  absl::Status FillOne(const YAML::Node& node, const std::string& path,
                       int depth, const FieldDescriptor& field, Message* out) {
    const Reflection& reflection = *out->GetReflection();
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Message* child = field.is_repeated()
                           ? reflection.AddMessage(out, &field)
                           : reflection.MutableMessage(out, &field);
      if (child->GetDescriptor() ==
          google::protobuf::Duration::GetDescriptor()) {
        return FillDuration(node, path,
                            static_cast<google::protobuf::Duration*>(child));
      }
      return Fill(node, path, depth + 1, child);
    }
    if (!node.IsScalar()) return Wrong(node, path, "must be one value");
    return FillScalar(node, path, field, out);
  }

  absl::Status FillDuration(const YAML::Node& node, const std::string& path,
                            google::protobuf::Duration* out) {
    const std::string expected =
        "must be a duration such as 500ms, 30s, 5m, 1h or 14d";
    if (!node.IsScalar()) return Wrong(node, path, expected);
    std::string text = node.Scalar();
    int64_t days = 0;
    absl::Duration duration;
    if (absl::EndsWith(text, "d") &&
        absl::SimpleAtoi(text.substr(0, text.size() - 1), &days)) {
      duration = absl::Hours(24) * days;
    } else if (!absl::ParseDuration(text, &duration)) {
      return Wrong(node, path, absl::StrCat(expected, ", not '", text, "'"));
    }
    if (duration < absl::ZeroDuration() || duration > absl::Hours(24 * 36500)) {
      return Wrong(node, path, expected + ", from 0 to 100 years");
    }
    absl::Duration rest;
    out->set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
    out->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
    return absl::OkStatus();
  }

  absl::Status FillScalar(const YAML::Node& node, const std::string& path,
                          const FieldDescriptor& field, Message* out) {
    const Reflection& reflection = *out->GetReflection();
    const std::string& text = node.Scalar();
    const auto wrong = [&](const std::string& expected) {
      return Wrong(node, path,
                   absl::StrCat("must be ", expected, ", not '", text, "'"));
    };
    const bool repeated = field.is_repeated();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        if (!IsText(text)) {
          return Wrong(node, path, "must be text in UTF-8, without NUL");
        }
        repeated ? reflection.AddString(out, &field, text)
                 : reflection.SetString(out, &field, text);
        return absl::OkStatus();
      case FieldDescriptor::CPPTYPE_BOOL: {
        if (text != "true" && text != "false") return wrong("true or false");
        repeated ? reflection.AddBool(out, &field, text == "true")
                 : reflection.SetBool(out, &field, text == "true");
        return absl::OkStatus();
      }
      case FieldDescriptor::CPPTYPE_INT32: {
        int32_t value = 0;
        if (!absl::SimpleAtoi(text, &value)) return wrong("a whole number");
        repeated ? reflection.AddInt32(out, &field, value)
                 : reflection.SetInt32(out, &field, value);
        return absl::OkStatus();
      }
      case FieldDescriptor::CPPTYPE_INT64: {
        int64_t value = 0;
        if (!absl::SimpleAtoi(text, &value)) return wrong("a whole number");
        repeated ? reflection.AddInt64(out, &field, value)
                 : reflection.SetInt64(out, &field, value);
        return absl::OkStatus();
      }
      case FieldDescriptor::CPPTYPE_DOUBLE: {
        double value = 0;
        if (!absl::SimpleAtod(text, &value)) return wrong("a number");
        repeated ? reflection.AddDouble(out, &field, value)
                 : reflection.SetDouble(out, &field, value);
        return absl::OkStatus();
      }
      case FieldDescriptor::CPPTYPE_ENUM: {
        const EnumDescriptor& type = *field.enum_type();
        std::vector<std::string> names;
        for (int i = 0; i < type.value_count(); ++i) {
          const EnumValueDescriptor& value = *type.value(i);
          if (value.number() == 0) continue;
          if (YamlName(value) == text) {
            repeated ? reflection.AddEnum(out, &field, &value)
                     : reflection.SetEnum(out, &field, &value);
            return absl::OkStatus();
          }
          names.push_back(YamlName(value));
        }
        return wrong("one of " + absl::StrJoin(names, ", "));
      }
      default:
        return Wrong(node, path, "is of a type that has no form in YAML");
    }
  }

  const std::string name_;
};

// Notes where a document begins, and where the first thing in it does.
class Documents : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    start = mark;
    first = std::nullopt;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { Note(mark); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { Note(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                const std::string&) override {
    Note(mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&,
                       YAML::anchor_t, YAML::EmitterStyle::value) override {
    Note(mark);
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    Note(mark);
  }
  void OnMapEnd() override {}

  YAML::Mark start;
  std::optional<YAML::Mark> first;

 private:
  void Note(const YAML::Mark& mark) {
    if (!first.has_value()) first = mark;
  }
};

// Not by LoadAll: a comma where a document should begin keeps it busy until
// the memory is full.
absl::Status CheckOneDocument(const std::string& text, std::string_view name) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Documents documents;
  if (!parser.HandleNextDocument(documents) ||
      !parser.HandleNextDocument(documents)) {
    return absl::OkStatus();
  }
  const int line = documents.first.value_or(documents.start).line + 1;
  const size_t at = static_cast<size_t>(documents.start.pos);
  return absl::InvalidArgumentError(absl::StrCat(
      std::string(name), ":", line,
      text.compare(std::min(at, text.size()), 3, "---") == 0
          ? ": a second document begins, and only one is read: remove the line "
            "`---` before it"
          : ": is not YAML: what begins here belongs to nothing before it"));
}

}  // namespace

absl::Status ParseYaml(std::string_view text, std::string_view name,
                       Message* out) {
  try {
    const std::string copy(text);
    absl::Status one = CheckOneDocument(copy, name);
    if (!one.ok()) return one;
    out->Clear();
    return Loader(name).Fill(YAML::Load(copy), "", 0, out);
  } catch (const YAML::Exception& e) {
    return absl::InvalidArgumentError(absl::StrCat(
        std::string(name), ":", e.mark.line + 1, ": is not YAML: ", e.msg));
  }
}

absl::Status LoadYaml(const std::string& path, Message* out) {
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxConfigBytes);
  if (!text.ok()) return text.status();
  return ParseYaml(*text, path, out);
}

}  // namespace mc
