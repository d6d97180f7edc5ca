// Messages with a value in every field.
#ifndef TESTS_SUPPORT_MESSAGE_FILLER_H_
#define TESTS_SUPPORT_MESSAGE_FILLER_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/message.h"

namespace mc::testing {

// Gives every field of a message, and of all below it, a valid value other than
// its default, driven by the descriptors and the (format) option alone: a field
// that is added to the contract is tested without another line here. Repeated
// fields get two elements; of a oneof, one member is set, the next one at the
// next time. Numbers and texts are distinct as long as their type allows.
//
// Not thread-safe.
class MessageFiller {
 public:
  struct Options {
    // Start of a UTC hour, in seconds since 1970. Single time frames lie within
    // it and span most of it; those of a repeated field lie within the single
    // ones, in order and apart.
    int64_t hour_seconds = 1'777'888'800;
    // Values of string fields, by their full names.
    std::map<std::string, std::string> texts;
  };

  MessageFiller() : MessageFiller(Options()) {}
  explicit MessageFiller(Options options) : options_(std::move(options)) {}

  // The message must be empty.
  void Fill(google::protobuf::Message& message);

  template <typename T>
  T Make() {
    T message;
    Fill(message);
    return message;
  }

  // The full names of all fields that were filled, in order, with repetitions.
  const std::vector<std::string>& filled() const { return filled_; }

 private:
  void FillField(google::protobuf::Message& message,
                 const google::protobuf::FieldDescriptor* field);
  // `index`: of the element of a repeated field, else -1.
  void FillMessage(google::protobuf::Message& message, int index);
  void FillTimeFrame(google::protobuf::Message& frame, int index);
  void SetTime(google::protobuf::Message& timestamp, int64_t seconds);
  std::string Text(const google::protobuf::FieldDescriptor* field);
  int EnumNumber(const google::protobuf::FieldDescriptor* field);
  int64_t Next() { return ++count_; }

  const Options options_;
  int64_t count_ = 0;
  // How often a oneof or an enum had its turn, by full name.
  std::map<std::string, int> turns_;
  std::vector<std::string> filled_;
};

// Empty where both are equal, field by field; else what differs.
std::string Difference(const google::protobuf::Message& expected,
                       const google::protobuf::Message& actual);

}  // namespace mc::testing

#endif  // TESTS_SUPPORT_MESSAGE_FILLER_H_
