#include "mc-service/store/sqlite/schema_tree.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace mc::service {
namespace {

struct Reference {
  std::string column;
  std::string parent;
  // Of it: finding the rows of one parent needs no scan.
  bool indexed = false;
};

struct Described {
  std::set<std::string> columns;
  std::vector<std::string> key;
  std::vector<Reference> references;
};

using Schema = std::map<std::string, Described>;

// Of each table: its columns, its key, what it refers to.
absl::StatusOr<Schema> Describe(sqlite::Database& database) {
  Schema schema;
  absl::StatusOr<sqlite::Statement> columns = database.Prepare(
      "SELECT t.name, c.name, c.pk FROM sqlite_schema AS t, "
      "pragma_table_info(t.name) AS c "
      "WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
      "ORDER BY t.name, c.pk");
  if (!columns.ok()) return columns.status();
  absl::StatusOr<bool> row = columns->Step();
  for (; row.ok() && *row; row = columns->Step()) {
    Described& table = schema[columns->Text(0)];
    table.columns.insert(columns->Text(1));
    if (columns->Int64(2) > 0) table.key.push_back(columns->Text(1));
  }
  if (!row.ok()) return row.status();
  absl::StatusOr<sqlite::Statement> references = database.Prepare(
      "SELECT t.name, f.\"from\", f.\"table\", "
      "EXISTS (SELECT 1 FROM pragma_index_list(t.name) AS i, "
      "pragma_index_info(i.name) AS c WHERE c.seqno = 0 AND "
      "c.name = f.\"from\") FROM sqlite_schema AS t, "
      "pragma_foreign_key_list(t.name) AS f WHERE t.type = 'table' "
      "ORDER BY t.name, f.id");
  if (!references.ok()) return references.status();
  row = references->Step();
  for (; row.ok() && *row; row = references->Step()) {
    Described& table = schema[references->Text(0)];
    const std::string column = references->Text(1);
    const bool is_key = table.key.size() == 1 && table.key.front() == column;
    table.references.push_back(
        {column, references->Text(2), is_key || references->Bool(3)});
  }
  if (!row.ok()) return row.status();
  return schema;
}

class Builder {
 public:
  Builder(const Schema& schema, std::string_view root,
          std::string_view root_condition)
      : schema_(schema), root_(root), root_condition_(root_condition) {
    for (bool more = true; more;) {
      more = false;
      for (const auto& [name, table] : schema_) {
        if (IsIn(name)) continue;
        for (const Reference& reference : table.references) {
          if (!IsIn(reference.parent)) continue;
          members_.insert(name);
          more = true;
          break;
        }
      }
    }
  }

  std::vector<SchemaTree::Table> Build() {
    if (IsIn("cluster")) {
      for (const auto& [name, table] : schema_) {
        if (IsIn(name) || !table.columns.contains("cluster_id")) continue;
        Add(name, absl::StrCat("cluster_id IN (SELECT cluster_id FROM cluster "
                               "WHERE ",
                               Condition("cluster"), ")"));
      }
    }
    Visit(root_);
    return std::move(tables_);
  }

 private:
  bool IsIn(const std::string& name) const {
    return name == root_ || members_.contains(name);
  }

  void Add(const std::string& name, std::string condition) {
    tables_.push_back({name, absl::StrJoin(schema_.at(name).key, ", "),
                       std::move(condition)});
  }

  // The tables that refer to it come first.
  void Visit(const std::string& name) {
    if (!visited_.insert(name).second) return;
    for (const auto& [child, table] : schema_) {
      for (const Reference& reference : table.references) {
        if (reference.parent == name && child != name) Visit(child);
      }
    }
    Add(name, Condition(name));
  }

  std::string Condition(const std::string& name) const {
    if (name == root_) return root_condition_;
    const Reference* chosen = nullptr;
    for (const Reference& reference : schema_.at(name).references) {
      if (!IsIn(reference.parent) || reference.parent == name) continue;
      if (chosen == nullptr || (reference.indexed && !chosen->indexed)) {
        chosen = &reference;
      }
    }
    return absl::StrCat(
        chosen->column, " IN (SELECT ", schema_.at(chosen->parent).key.front(),
        " FROM ", chosen->parent, " WHERE ", Condition(chosen->parent), ")");
  }

  const Schema& schema_;
  const std::string root_;
  const std::string root_condition_;
  std::set<std::string> members_;
  std::set<std::string> visited_;
  std::vector<SchemaTree::Table> tables_;
};

}  // namespace

absl::StatusOr<SchemaTree> SchemaTree::Below(sqlite::Database& database,
                                             std::string_view root,
                                             std::string_view root_condition) {
  const absl::StatusOr<Schema> schema = Describe(database);
  if (!schema.ok()) return schema.status();
  if (!schema->contains(std::string(root))) {
    return absl::InternalError(
        absl::StrCat("the store has no table ",
                     absl::string_view(root.data(), root.size())));
  }
  SchemaTree tree;
  tree.tables_ = Builder(*schema, root, root_condition).Build();
  return tree;
}

}  // namespace mc::service
