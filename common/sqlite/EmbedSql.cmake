# mc_embed_sql(TARGET NAMESPACE 0001_name.sql ...)
#
# Makes `inline constexpr mc::sqlite::Migration kMigrations[]` in NAMESPACE out
# of numbered files, for TARGET to include as "<folder>/migrations.h", where
# <folder> is the calling one as seen from the repository's root. The number
# before the first underscore is the version, the rest is the name.
function(mc_embed_sql TARGET NAMESPACE)
  # Set here, for other folders do not see this file's variables.
  set(MC_EMBED_SQL_ROOT ${CMAKE_BINARY_DIR}/embedded_sql)
  set(ENTRIES "")
  foreach(FILE ${ARGN})
    get_filename_component(BASE ${FILE} NAME_WE)
    if(NOT BASE MATCHES "^0*([1-9][0-9]*)_([a-z0-9_]+)$")
      message(FATAL_ERROR "${FILE}: a migration is named like 0001_name.sql")
    endif()
    set(VERSION ${CMAKE_MATCH_1})
    set(NAME ${CMAKE_MATCH_2})
    file(READ ${CMAKE_CURRENT_SOURCE_DIR}/${FILE} SQL)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
                 ${CMAKE_CURRENT_SOURCE_DIR}/${FILE})
    string(APPEND ENTRIES
           "    {${VERSION}, \"${NAME}\", R\"__SQL__(${SQL})__SQL__\"},\n")
  endforeach()
  set(HEADER "// Generated from numbered .sql files.\n#pragma once\n\n")
  string(APPEND HEADER "#include \"common/sqlite/migrate.h\"\n\n"
         "namespace ${NAMESPACE} {\n\n"
         "inline constexpr mc::sqlite::Migration kMigrations[] = {\n"
         "${ENTRIES}};\n\n}  // namespace ${NAMESPACE}\n")
  file(RELATIVE_PATH FOLDER ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  # Written only when its content changes.
  file(CONFIGURE OUTPUT ${MC_EMBED_SQL_ROOT}/${FOLDER}/migrations.h
       CONTENT "@HEADER@" @ONLY)
  target_include_directories(${TARGET} PRIVATE ${MC_EMBED_SQL_ROOT})
  target_link_libraries(${TARGET} PUBLIC mc_sqlite)
endfunction()
