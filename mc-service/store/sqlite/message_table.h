// Messages of the contract in typed columns.
#ifndef MC_SERVICE_STORE_SQLITE_MESSAGE_TABLE_H_
#define MC_SERVICE_STORE_SQLITE_MESSAGE_TABLE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/sqlite/database.h"
#include "google/protobuf/message.h"

namespace mc::service {

// A table with one row for each message of a type, and tables below it for the
// repeated fields: the mapping that the migration describes, done by
// reflection, so that no field of a message can be forgotten here. A field
// without a column is an INTERNAL error of the first use.
//
// Immutable; thread-safe, with a database for each thread.
class MessageTable {
 public:
  // Names of the tables below, by the full name of the repeated field.
  using Children = std::map<std::string, std::string>;

  // `keys`: columns beside those of the message, with integers. A repeated
  // field that `children` does not name ends the program.
  MessageTable(const google::protobuf::Descriptor* type, std::string name,
               std::vector<std::string> keys, const Children& children);

  // One row and those below it; returns its `id`. On an error some of them may
  // be there: for works that are undone as a whole. INVALID_ARGUMENT where a
  // value does not fit, for instance a time outside the years 1678 to 2261.
  absl::StatusOr<int64_t> Insert(
      sqlite::Database& database, std::span<const int64_t> keys,
      const google::protobuf::Message& message) const;

  // The message of one row; NOT_FOUND without it.
  absl::Status Load(sqlite::Database& database, int64_t id,
                    google::protobuf::Message& message) const;

  // For a table with the keys `parent` and `position`: the messages of one
  // parent in order, each into what `add` returns.
  absl::Status LoadAll(
      sqlite::Database& database, int64_t parent,
      absl::FunctionRef<google::protobuf::Message&()> add) const;

 private:
  // Of a repeated field: of messages, with a table; of strings, without.
  struct Child {
    const google::protobuf::FieldDescriptor* field;
    std::unique_ptr<MessageTable> table;
    std::string insert;
    std::string select;
  };

  absl::Status InsertChildren(sqlite::Database& database, int64_t id,
                              const google::protobuf::Message& message) const;
  absl::Status LoadChildren(sqlite::Database& database, int64_t id,
                            google::protobuf::Message& message) const;

  std::string insert_;
  std::string select_by_id_;
  std::string select_by_parent_;
  std::vector<Child> children_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_SQLITE_MESSAGE_TABLE_H_
