// The command line of cluster-agent.
#ifndef MC_CLUSTER_AGENT_CLI_PROGRAM_H_
#define MC_CLUSTER_AGENT_CLI_PROGRAM_H_

namespace mc::agent {

// Runs the subcommand and returns the exit code. Results go to standard
// output; an error is one line on standard error.
int RunProgram(int argc, char** argv);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_CLI_PROGRAM_H_
