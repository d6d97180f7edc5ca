// The fields of one message as the columns of one row.
#ifndef MC_SERVICE_STORE_SQLITE_MESSAGE_ROW_H_
#define MC_SERVICE_STORE_SQLITE_MESSAGE_ROW_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/sqlite/statement.h"
#include "google/protobuf/message.h"

namespace mc::service {

// The columns of a type, without its repeated fields, in the order in which the
// other functions bind and read them.
std::vector<std::string> RowColumns(const google::protobuf::Descriptor* type);

// Binds the columns from parameter `first` on.
absl::Status BindRow(const google::protobuf::Message& message, int first,
                     sqlite::Statement& statement);

// Reads the columns from column `first` on into an empty message.
void ReadRow(const sqlite::Statement& statement, int first,
             google::protobuf::Message& message);

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_SQLITE_MESSAGE_ROW_H_
