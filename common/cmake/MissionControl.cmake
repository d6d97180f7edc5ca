# Compiler settings, and the three functions that every CMakeLists.txt uses:
#   mc_library(NAME SRCS ... DEPS ...)    a static library
#   mc_binary(NAME SRCS ... DEPS ...)     a program, in <build>/bin
#   mc_test(NAME SRCS ... DEPS ...)       a GoogleTest program, known to ctest
# GRPC after the name of any of them reuses the precompiled gRPC headers.

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
find_package(Protobuf REQUIRED)
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

# What every test's processes get; without a sanitizer nobody reads it.
set(MC_TEST_ENVIRONMENT
  "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/lsan.supp:print_suppressions=0")

set(MC_GRPC_PCH ${CMAKE_CURRENT_LIST_DIR}/grpc_pch.h)
function(mc_target_ NAME)
  cmake_parse_arguments(A "GRPC" "" "SRCS;DEPS" ${ARGN})
  target_sources(${NAME} PRIVATE ${A_SRCS})
  target_include_directories(${NAME} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${NAME} PUBLIC ${A_DEPS} PRIVATE mc_warnings)
  if(A_GRPC)
    target_link_libraries(${NAME} PUBLIC gRPC::grpc++)
    if(NOT TARGET mc_grpc_pch)
      file(WRITE ${CMAKE_BINARY_DIR}/grpc_pch.cc "")
      add_library(mc_grpc_pch STATIC ${CMAKE_BINARY_DIR}/grpc_pch.cc)
      target_link_libraries(mc_grpc_pch PUBLIC gRPC::grpc++
                            PRIVATE mc_warnings)
      target_precompile_headers(mc_grpc_pch PRIVATE ${MC_GRPC_PCH})
    endif()
    target_precompile_headers(${NAME} REUSE_FROM mc_grpc_pch)
  endif()
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
  add_executable(${NAME})
  mc_target_(${NAME} ${ARGN})
  target_link_libraries(${NAME} PRIVATE GTest::gmock GTest::gtest_main)
  set_target_properties(${NAME} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${NAME} COMMAND ${NAME})
  set_tests_properties(${NAME} PROPERTIES TIMEOUT 120
    ENVIRONMENT "${MC_TEST_ENVIRONMENT}")
endfunction()
