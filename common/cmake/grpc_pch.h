// Precompiled for every target that is marked GRPC in its CMakeLists.txt.
#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>
