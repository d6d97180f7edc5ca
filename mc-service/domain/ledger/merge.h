// How usage counts once that came in several epochs.
//
// An epoch is the numbering of one outbox. Within an epoch every report brings
// usage of its own: what is recorded late comes in a further report of the same
// frame, and is added. A new epoch begins where an outbox is new, or was
// restored from a copy; then it may report once more what the older one
// reported already, and nothing in the reports tells the repeated part from the
// new. So frames of different epochs that overlap are never added: of each
// group of such frames the epoch counts that has most (the lower one of
// equals), and the others are merged into it.
#ifndef MC_SERVICE_DOMAIN_LEDGER_MERGE_H_
#define MC_SERVICE_DOMAIN_LEDGER_MERGE_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "mc-service/store/ledger_types.h"

namespace mc::service {

// What the epochs say of one identity in one time frame.
struct FrameUsage {
  absl::Time start;
  absl::Time end;
  // Each epoch once.
  std::vector<LedgerPart> parts;
  // Results: what counts, and whether another epoch's frame overlaps.
  int64_t quantity = 0;
  bool disputed = false;
};

// Fills in the results of all frames of one identity. They depend on the frames
// alone, not on their order or that of their parts. A part of nothing is none.
void MergeFrames(std::vector<FrameUsage>& frames);

// Adds to the part of `epoch`.
void AddPart(std::vector<LedgerPart>& parts, uint64_t epoch, int64_t quantity);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_LEDGER_MERGE_H_
