# Compiler settings, and the three functions that every CMakeLists.txt uses:
#   mc_library(NAME SRCS ... DEPS ...)    a static library
#   mc_binary(NAME SRCS ... DEPS ...)     a program, in <build>/bin
#   mc_test(NAME SRCS ... DEPS ...)       a GoogleTest program, known to ctest
# GRPC after the name of any of them says that it uses gRPC; TEST after that of
# a library, that it is for tests alone.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set_property(GLOBAL PROPERTY USE_FOLDERS ON)

find_program(MC_CCACHE ccache)
if(MC_CCACHE)
  # A precompiled header hides its macros and times from ccache.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${MC_CCACHE})
endif()
find_program(MC_MOLD mold)
if(MC_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

find_package(Threads REQUIRED)
# From 22 on protobuf tells by its own files that it needs Abseil; before,
# only CMake knows it.
find_package(Protobuf CONFIG QUIET)
if(NOT Protobuf_FOUND)
  find_package(Protobuf REQUIRED)
endif()
find_package(gRPC CONFIG REQUIRED)
find_package(absl REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(GTest REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)

# Warnings are for our code; generated code is compiled without them.
add_library(mc_warnings INTERFACE)
target_compile_options(mc_warnings INTERFACE -Wall -Wextra -Wpedantic
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
  $<$<BOOL:${MC_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND MC_CCACHE)
  target_compile_options(mc_warnings INTERFACE -Xclang -fno-pch-timestamp)
endif()

if(MC_SANITIZE)
  add_compile_options(-fsanitize=${MC_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MC_SANITIZE})
endif()
# libFuzzer follows what our own code has run; see tests/fuzz.
if(MC_SANITIZE MATCHES address AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  set(MC_FUZZER ON)
  target_compile_options(mc_warnings INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(MC_SANITIZE STREQUAL "thread")
  # See tests/support/tsan_absl.cc.
  set(MUTEX _ZN4absl7debian35Mutex)
  set(NOTIFICATION 4absl7debian312Notification)
  set(MC_TSAN_WRAPPED ${MUTEX}4LockEv ${MUTEX}6UnlockEv ${MUTEX}10ReaderLockEv
    ${MUTEX}12ReaderUnlockEv ${MUTEX}5AwaitERKNS0_9ConditionE
    ${MUTEX}16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE
    _ZN${NOTIFICATION}6NotifyEv
    _ZNK${NOTIFICATION}19WaitForNotificationEv
    _ZNK${NOTIFICATION}30WaitForNotificationWithTimeoutENS0_8DurationE)
  list(TRANSFORM MC_TSAN_WRAPPED PREPEND LINKER:--wrap=)
  add_library(mc_tsan_absl OBJECT ${CMAKE_SOURCE_DIR}/tests/support/tsan_absl.cc)
  target_link_libraries(mc_tsan_absl PUBLIC absl::synchronization)
  target_link_options(mc_tsan_absl INTERFACE ${MC_TSAN_WRAPPED})
endif()

# What every test's processes get; without a sanitizer nobody reads it.
set(MC_TEST_ENVIRONMENT
  "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/lsan.supp:print_suppressions=0"
  "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/tsan.supp:print_suppressions=0:die_after_fork=0")

# Most of the time of a build is reading the same few headers and optimizing
# what runs in tests alone. So there are four precompiled headers, with and
# without gRPC and GoogleTest, and tests are compiled without optimization.
file(WRITE ${CMAKE_BINARY_DIR}/pch.cc "")
set(MC_TEST_OPTIONS -O0)
foreach(KIND base grpc test grpc_test)
  add_library(mc_pch_${KIND} STATIC EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/pch.cc)
  target_link_libraries(mc_pch_${KIND} PUBLIC protobuf::libprotobuf
                        PRIVATE mc_warnings)
  target_precompile_headers(mc_pch_${KIND} PRIVATE
                            ${CMAKE_CURRENT_LIST_DIR}/pch_base.h)
  if(KIND MATCHES grpc)
    target_link_libraries(mc_pch_${KIND} PUBLIC gRPC::grpc++)
    target_precompile_headers(mc_pch_${KIND} PRIVATE <grpcpp/grpcpp.h>)
  endif()
  if(KIND MATCHES test)
    target_link_libraries(mc_pch_${KIND} PUBLIC GTest::gmock)
    target_compile_options(mc_pch_${KIND} PRIVATE ${MC_TEST_OPTIONS})
    target_precompile_headers(mc_pch_${KIND} PRIVATE <gmock/gmock.h>
                              <gtest/gtest.h>)
  endif()
endforeach()

function(mc_target_ NAME)
  cmake_parse_arguments(A "GRPC;TEST" "" "SRCS;DEPS" ${ARGN})
  target_sources(${NAME} PRIVATE ${A_SRCS})
  target_include_directories(${NAME} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${NAME} PUBLIC ${A_DEPS} PRIVATE mc_warnings)
  if(A_GRPC)
    target_link_libraries(${NAME} PUBLIC gRPC::grpc++)
    if(MC_SANITIZE STREQUAL "thread")
      set_target_properties(${NAME} PROPERTIES EXCLUDE_FROM_ALL ON)
    endif()
  endif()
  if(A_TEST)
    target_link_libraries(${NAME} PUBLIC GTest::gmock)
    target_compile_options(${NAME} PRIVATE ${MC_TEST_OPTIONS})
  endif()
  set(KIND base)
  if(A_GRPC AND A_TEST)
    set(KIND grpc_test)
  elseif(A_GRPC)
    set(KIND grpc)
  elseif(A_TEST)
    set(KIND test)
  endif()
  target_precompile_headers(${NAME} REUSE_FROM mc_pch_${KIND})
endfunction()

function(mc_library NAME)
  add_library(${NAME} STATIC)
  mc_target_(${NAME} ${ARGN})
endfunction()

function(mc_binary NAME)
  add_executable(${NAME})
  mc_target_(${NAME} ${ARGN})
endfunction()

function(mc_test NAME)
  if(MC_SANITIZE STREQUAL "thread" AND GRPC IN_LIST ARGN)
    return()
  endif()
  add_executable(${NAME})
  mc_target_(${NAME} TEST ${ARGN})
  if(TARGET mc_tsan_absl)
    target_link_libraries(${NAME} PRIVATE mc_tsan_absl)
  endif()
  target_link_libraries(${NAME} PRIVATE GTest::gtest_main)
  set_target_properties(${NAME} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${NAME} COMMAND ${NAME})
  set_tests_properties(${NAME} PROPERTIES TIMEOUT 300
    ENVIRONMENT "${MC_TEST_ENVIRONMENT}")
endfunction()
