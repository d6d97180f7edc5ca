// The messages of the contract that the store keeps in columns.
#ifndef MC_SERVICE_STORE_SQLITE_TABLES_H_
#define MC_SERVICE_STORE_SQLITE_TABLES_H_

#include "mc-service/store/sqlite/message_table.h"

namespace mc::service {

// Immutable; one for all sessions of a store.
struct Tables {
  Tables();

  const MessageTable limits;
  const MessageTable terms;
  const MessageTable entitlement;
  const MessageTable health_check;
  const MessageTable health_result;
  const MessageTable consumption;
  const MessageTable event;
};

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_SQLITE_TABLES_H_
