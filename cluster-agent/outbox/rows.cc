#include "cluster-agent/outbox/rows.h"

#include "common/crypto/digest.h"

namespace mc::agent {

std::string RowSum(std::string_view bytes,
                   std::initializer_list<uint64_t> numbers) {
  Sha256Stream sum;
  for (const uint64_t number : numbers) {
    char little_endian[8];
    for (int i = 0; i < 8; ++i) {
      little_endian[i] = static_cast<char>(number >> (8 * i));
    }
    sum.Update({little_endian, sizeof(little_endian)});
  }
  sum.Update(bytes);
  return sum.Finish();
}

std::string ReportSum(const ReportKey& key, std::string_view request) {
  return RowSum(request,
                {static_cast<uint64_t>(key.lane), key.epoch, key.sequence});
}

}  // namespace mc::agent
