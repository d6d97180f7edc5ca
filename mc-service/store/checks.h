// What every backend refuses in the same way: INVALID_ARGUMENT.
#ifndef MC_SERVICE_STORE_CHECKS_H_
#define MC_SERVICE_STORE_CHECKS_H_

#include "absl/status/status.h"
#include "mc-service/store/event_store.h"
#include "mc-service/store/finding_types.h"
#include "mc-service/store/types.h"

namespace mc::service {

// Sequences are below 2^63, so that every database can order them.
absl::Status CheckSequence(const ReportKey& key);

// Consumption is on the lane BILLING.
absl::Status CheckConsumption(const StoredConsumption& stored);

// Its sequences are as CheckSequence wants them.
absl::Status CheckDropped(const DroppedEvents& dropped);

// `document` is what the signed bytes say, for only those are kept.
absl::Status CheckRelease(const Release& release);

// A gap is of sequences from 1 on, and not empty.
absl::Status CheckGap(const SequenceGap& gap);

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_CHECKS_H_
