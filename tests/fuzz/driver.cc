// Runs a fuzz target where there is no libFuzzer: every seed, then a bounded
// number of mutated ones, the same in each run. It takes libFuzzer's names of
// options, and knows few of them.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/numbers.h"
#include "common/time/clock.h"
#include "tests/fuzz/fuzz.h"

extern "C" __attribute__((weak)) size_t LLVMFuzzerCustomMutator(
    uint8_t* data, size_t size, size_t max_size, unsigned int seed);

namespace {

using mc::fuzz::Draw;

Draw& Drawn() {
  static Draw draw(1);
  return draw;
}

// What the target is at, for the message about a crash.
std::string current_input;
char crash_file[] = "crash-input";

// Called where anything may be broken: only what a handler may call.
void OnCrash(int signal) {
  const int file = ::creat(crash_file, 0600);
  if (file >= 0) {
    (void)!::write(file, current_input.data(), current_input.size());
    ::close(file);
  }
  constexpr char kSaid[] =
      "The input is in crash-input; run the target with this file to see it "
      "again.\n";
  (void)!::write(STDERR_FILENO, kSaid, sizeof(kSaid) - 1);
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void Run(std::string_view input, unsigned timeout) {
  current_input = input;
  ::alarm(timeout);
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(current_input.data()),
                         current_input.size());
  ::alarm(0);
}

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void AddSeeds(const std::filesystem::path& path,
              std::vector<std::string>& seeds) {
  if (!std::filesystem::is_directory(path)) {
    seeds.push_back(ReadAll(path));
    return;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) seeds.push_back(ReadAll(file));
}

struct Options {
  int64_t runs = 0;
  size_t max_len = 4096;
  unsigned timeout = 20;
  int64_t max_total_time = 0;
  int64_t rss_limit_mb = 2048;
  std::vector<std::string> paths;
};

bool Take(std::string_view argument, std::string_view name, int64_t& value) {
  const std::string prefix = "-" + std::string(name) + "=";
  return argument.starts_with(prefix) &&
         absl::SimpleAtoi(absl::string_view(argument.data() + prefix.size(),
                                            argument.size() - prefix.size()),
                          &value);
}

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    int64_t value = 0;
    if (argv[i][0] != '-') {
      options.paths.push_back(argv[i]);
    } else if (Take(argv[i], "runs", value)) {
      options.runs = value;
    } else if (Take(argv[i], "max_len", value)) {
      options.max_len = static_cast<size_t>(value);
    } else if (Take(argv[i], "timeout", value)) {
      options.timeout = static_cast<unsigned>(value);
    } else if (Take(argv[i], "max_total_time", value)) {
      options.max_total_time = value;
    } else if (Take(argv[i], "rss_limit_mb", value)) {
      options.rss_limit_mb = value;
    } else if (Take(argv[i], "seed", value)) {
      Drawn() = Draw(static_cast<uint64_t>(value));
    }
  }
  return options;
}

std::string Mutated(const std::vector<std::string>& seeds, size_t max_len) {
  std::string input = seeds.empty() ? "" : seeds[Drawn().Below(seeds.size())];
  const size_t size = std::min(input.size(), max_len);
  input.resize(max_len);
  auto* data = reinterpret_cast<uint8_t*>(input.data());
  size_t mutated = size;
  const size_t times = 1 + Drawn().Below(4);
  for (size_t i = 0; i < times; ++i) {
    mutated =
        LLVMFuzzerCustomMutator != nullptr
            ? LLVMFuzzerCustomMutator(data, mutated, max_len,
                                      static_cast<unsigned int>(Drawn().Next()))
            : LLVMFuzzerMutate(data, mutated, max_len);
  }
  input.resize(mutated);
  return input;
}

}  // namespace

size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size) {
  Draw& draw = Drawn();
  if (max_size == 0) return 0;
  if (size == 0) {
    data[0] = static_cast<uint8_t>(draw.Next());
    return 1;
  }
  const size_t at = draw.Below(size);
  switch (draw.Below(6)) {
    case 0:
      data[at] ^= static_cast<uint8_t>(1 << draw.Below(8));
      return size;
    case 1:
      data[at] = static_cast<uint8_t>(draw.Next());
      return size;
    case 2: {
      constexpr std::string_view kTelling("\0\xff\x7f\x80 \n\":.,-/=[]{}09aZ",
                                          22);
      data[at] = static_cast<uint8_t>(kTelling[draw.Below(kTelling.size())]);
      return size;
    }
    case 3: {  // without a piece
      const size_t cut = 1 + draw.Below(std::min<size_t>(size - at, 16));
      std::memmove(data + at, data + at + cut, size - at - cut);
      return size - cut;
    }
    case 4: {  // a piece twice
      const size_t piece =
          std::min({1 + draw.Below(16), size - at, max_size - size});
      std::memmove(data + at + piece, data + at, size - at);
      return size + piece;
    }
    default: {  // a piece over another
      const size_t from = draw.Below(size);
      const size_t piece =
          std::min({1 + draw.Below(16), size - at, size - from});
      std::memmove(data + at, data + from, piece);
      return size;
    }
  }
}

int main(int argc, char** argv) {
  LLVMFuzzerInitialize(&argc, &argv);
  const Options options = Parse(argc, argv);
  for (const int crash : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM}) {
    ::signal(crash, OnCrash);
  }
  std::vector<std::string> seeds;
  for (const std::string& path : options.paths) AddSeeds(path, seeds);
  const mc::RealClock clock;
  const absl::Duration start = clock.SinceBoot();
  const auto seconds = [&] {
    return absl::ToDoubleSeconds(clock.SinceBoot() - start);
  };
  for (const std::string& seed : seeds) Run(seed, options.timeout);
  int64_t runs = 0;
  while (runs < options.runs &&
         (options.max_total_time == 0 || seconds() < options.max_total_time)) {
    Run(Mutated(seeds, options.max_len), options.timeout);
    ++runs;
  }
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  const int64_t megabytes = usage.ru_maxrss >> 10;
  std::printf("%zu seeds and %ld mutated inputs in %.1f s, %ld MiB at most\n",
              seeds.size(), static_cast<long>(runs), seconds(),
              static_cast<long>(megabytes));
  if (seeds.empty()) {
    std::fprintf(stderr, "there are no seeds: name the target's corpus\n");
    return 1;
  }
  if (megabytes > options.rss_limit_mb) {
    std::fprintf(stderr, "that is over -rss_limit_mb\n");
    return 1;
  }
  return 0;
}
