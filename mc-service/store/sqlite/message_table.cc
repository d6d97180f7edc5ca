#include "mc-service/store/sqlite/message_table.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/descriptor.h"
#include "mc-service/store/sqlite/message_row.h"

namespace mc::service {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using sqlite::Database;
using sqlite::Statement;

// Field names can be words of SQL.
std::string Quoted(const std::vector<std::string>& columns) {
  return absl::StrCat("\"", absl::StrJoin(columns, "\", \""), "\"");
}

std::string InsertInto(const std::string& table,
                       const std::vector<std::string>& columns) {
  return absl::StrCat(
      "INSERT INTO ", table, " (", Quoted(columns), ") VALUES (",
      absl::StrJoin(std::vector<std::string>(columns.size(), "?"), ", "), ")");
}

}  // namespace

MessageTable::MessageTable(const Descriptor* type, std::string name,
                           std::vector<std::string> keys,
                           const Children& children) {
  const std::vector<std::string> columns = RowColumns(type);
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (!field->is_repeated()) continue;
    const std::string& table = children.at(std::string(field->full_name()));
    Child child{field, nullptr, "", ""};
    if (field->message_type() != nullptr) {
      child.table = std::make_unique<MessageTable>(
          field->message_type(), table,
          std::vector<std::string>{"parent", "position"}, children);
    } else {
      child.insert = InsertInto(table, {"parent", "position", "value"});
      child.select = absl::StrCat("SELECT value FROM ", table,
                                  " WHERE parent = ? ORDER BY position");
    }
    children_.push_back(std::move(child));
  }
  // Only tables with others below them have an `id`.
  select_by_parent_ = absl::StrCat("SELECT ", children_.empty() ? "0" : "id",
                                   ", ", Quoted(columns), " FROM ", name,
                                   " WHERE parent = ? ORDER BY position");
  select_by_id_ =
      absl::StrCat("SELECT ", Quoted(columns), " FROM ", name, " WHERE id = ?");
  keys.insert(keys.end(), columns.begin(), columns.end());
  insert_ = InsertInto(name, keys);
}

absl::StatusOr<int64_t> MessageTable::Insert(Database& database,
                                             std::span<const int64_t> keys,
                                             const Message& message) const {
  absl::StatusOr<Statement> insert = database.Prepare(insert_);
  if (!insert.ok()) return insert.status();
  int index = 0;
  for (const int64_t key : keys) insert->Bind(++index, key);
  absl::Status done = BindRow(message, index + 1, *insert);
  if (done.ok()) done = insert->Run();
  if (!done.ok()) return done;
  const int64_t id = database.last_insert_rowid();
  if (done = InsertChildren(database, id, message); !done.ok()) return done;
  return id;
}

absl::Status MessageTable::InsertChildren(Database& database, int64_t id,
                                          const Message& message) const {
  const auto* reflection = message.GetReflection();
  for (const Child& child : children_) {
    const int count = reflection->FieldSize(message, child.field);
    for (int i = 0; i < count; ++i) {
      absl::Status done;
      if (child.table != nullptr) {
        done = child.table
                   ->Insert(
                       database, std::vector<int64_t>{id, i},
                       reflection->GetRepeatedMessage(message, child.field, i))
                   .status();
      } else {
        absl::StatusOr<Statement> insert = database.Prepare(child.insert);
        if (!insert.ok()) return insert.status();
        done = insert
                   ->BindAll(
                       id, i,
                       reflection->GetRepeatedString(message, child.field, i))
                   .Run();
      }
      if (!done.ok()) return done;
    }
  }
  return absl::OkStatus();
}

absl::Status MessageTable::Load(Database& database, int64_t id,
                                Message& message) const {
  absl::StatusOr<Statement> select = database.Prepare(select_by_id_);
  if (!select.ok()) return select.status();
  absl::StatusOr<bool> row = select->Bind(1, id).Step();
  if (!row.ok()) return row.status();
  if (!*row) return absl::NotFoundError("there is no such row");
  ReadRow(*select, 0, message);
  return LoadChildren(database, id, message);
}

absl::Status MessageTable::LoadAll(Database& database, int64_t parent,
                                   absl::FunctionRef<Message&()> add) const {
  absl::StatusOr<Statement> select = database.Prepare(select_by_parent_);
  if (!select.ok()) return select.status();
  select->Bind(1, parent);
  for (;;) {
    absl::StatusOr<bool> row = select->Step();
    if (!row.ok() || !*row) return row.status();
    Message& message = add();
    ReadRow(*select, 1, message);
    absl::Status below = LoadChildren(database, select->Int64(0), message);
    if (!below.ok()) return below;
  }
}

absl::Status MessageTable::LoadChildren(Database& database, int64_t id,
                                        Message& message) const {
  const auto* reflection = message.GetReflection();
  for (const Child& child : children_) {
    if (child.table != nullptr) {
      absl::Status loaded =
          child.table->LoadAll(database, id, [&]() -> Message& {
            return *reflection->AddMessage(&message, child.field);
          });
      if (!loaded.ok()) return loaded;
      continue;
    }
    absl::StatusOr<Statement> select = database.Prepare(child.select);
    if (!select.ok()) return select.status();
    select->Bind(1, id);
    for (;;) {
      absl::StatusOr<bool> row = select->Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      reflection->AddString(&message, child.field, select->Text(0));
    }
  }
  return absl::OkStatus();
}

}  // namespace mc::service
