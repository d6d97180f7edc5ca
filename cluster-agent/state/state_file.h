// Files of a state directory, for this folder's .cc files.
#ifndef MC_CLUSTER_AGENT_STATE_STATE_FILE_H_
#define MC_CLUSTER_AGENT_STATE_STATE_FILE_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

namespace mc::agent {

// A node's state; its directory holds no cluster's, and the other way round.
inline constexpr char kNodeFile[] = "node.json";

// What AtomicWrite left where a process was killed: drafts of the files, and
// with them keys that nobody asks for. For the holder of the directory's lock;
// what cannot be removed stays for the next start.
void RemoveDrafts(const std::string& directory);

// Absent when the file does not exist; else as ReadPrivateFile.
absl::StatusOr<std::optional<std::string>> ReadOptional(
    const std::string& path);

// False when the file does not exist. DATA_LOSS: it is not the message's JSON;
// fields of a newer agent are ignored.
absl::StatusOr<bool> ReadJsonFile(const std::string& path,
                                  google::protobuf::Message* message);

// `path` is where it will be saved, for the error.
absl::StatusOr<std::string> JsonOf(const std::string& path,
                                   const google::protobuf::Message& message);

// DATA_LOSS, for a file that the service fills again.
absl::Status DamagedAnswer(const std::string& path, std::string_view what);

// Every certificate of the text is one, and the first is the key's.
absl::Status CheckChain(const std::string& chain_pem,
                        const std::string& key_pem);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_STATE_STATE_FILE_H_
