// The command line of mc-service.
#ifndef MC_SERVICE_CLI_PROGRAM_H_
#define MC_SERVICE_CLI_PROGRAM_H_

namespace mc::service {

// Runs the subcommand and returns the exit code. Results go to standard
// output; an error is one line on standard error.
int RunProgram(int argc, char** argv);

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_PROGRAM_H_
