// The tables that refer to one, however far below it; found in the schema, so
// that none can be forgotten.
#ifndef MC_SERVICE_STORE_SQLITE_SCHEMA_TREE_H_
#define MC_SERVICE_STORE_SQLITE_SCHEMA_TREE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/sqlite/database.h"

namespace mc::service {

class SchemaTree {
 public:
  struct Table {
    std::string name;
    // SQL: the columns of its primary key, separated by commas.
    std::string key;
    // SQL: whether a row of it belongs to the root's rows that were chosen.
    std::string condition;
  };

  // `root_condition` chooses the root's rows; its parameter is ?1. Tables
  // without a reference count where they have a column `cluster_id` and the
  // tree has the table `cluster`.
  static absl::StatusOr<SchemaTree> Below(sqlite::Database& database,
                                          std::string_view root,
                                          std::string_view root_condition);

  // Each before those that it refers to; the root is the last.
  const std::vector<Table>& tables() const { return tables_; }

 private:
  std::vector<Table> tables_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_SQLITE_SCHEMA_TREE_H_
