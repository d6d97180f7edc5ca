#include "mc-service/edge/service_metrics.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmath>
#include <limits>

#include "common/files/files.h"
#include "common/lifecycle/lifecycle.h"

namespace mc::service {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

double FileBytes(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return kUnknown;
  return static_cast<double>(info.st_size);
}

double StoreBytes(const std::string& file) {
  double bytes = FileBytes(file);
  // They come and go.
  for (const char* beside : {"-wal", "-shm"}) {
    const double more = FileBytes(file + beside);
    if (!std::isnan(more)) bytes += more;
  }
  return bytes;
}

struct Volume {
  double bytes = kUnknown;
  // What an unprivileged user may still write.
  double free_bytes = kUnknown;
};

Volume VolumeOf(const std::string& directory) {
  struct statvfs info = {};
  if (statvfs(directory.c_str(), &info) != 0) return {};
  const auto block = static_cast<double>(info.f_frsize);
  return {block * static_cast<double>(info.f_blocks),
          block * static_cast<double>(info.f_bavail)};
}

}  // namespace

void AddServiceFigures(const ServiceFigures& figures, Metrics* metrics) {
  metrics->AddGauge("start_time_seconds", "When the service started.")
      .Set(absl::ToDoubleSeconds(figures.started_at - absl::UnixEpoch()));
  metrics->AddGauge("store_bytes", "Size of the store on its disk.",
                    [file = figures.store_file] { return StoreBytes(file); });
  const std::string directory = DirectoryOf(figures.store_file);
  metrics->AddGauge("store_volume_bytes", "Size of the store's volume.",
                    [directory] { return VolumeOf(directory).bytes; });
  metrics->AddGauge("store_volume_free_bytes",
                    "What may still be written to the store's volume.",
                    [directory] { return VolumeOf(directory).free_bytes; });
  for (const auto& [name, not_after] : figures.certificates) {
    SetCertificateEnd(name, not_after, metrics);
  }
}

void AddDescriptorFigures(Metrics* metrics) {
  metrics->AddGauge("open_descriptors", "Descriptors that are open.",
                    [] { return OpenDescriptors(); });
  metrics->AddGauge("descriptor_limit", "Descriptors that may be open.",
                    [] { return ::sysconf(_SC_OPEN_MAX); });
}

void SetCertificateEnd(const std::string& name, absl::Time not_after,
                       Metrics* metrics) {
  prometheus::BuildGauge()
      .Name("mission_control_certificate_not_after_seconds")
      .Help("Until when each certificate in use is valid.")
      .Register(metrics->registry())
      .Add({{"certificate", name}})
      .Set(absl::ToDoubleSeconds(not_after - absl::UnixEpoch()));
}

}  // namespace mc::service
