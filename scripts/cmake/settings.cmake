# One interface target, gen::settings, that every target of ours links: so all share one precompiled header.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)  # -fPIC below instead: executables and libraries then share one PCH
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

find_program(GEN_CCACHE ccache)
if(GEN_CCACHE)
  # A precompiled header is cacheable once ccache may overlook time stamps.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${GEN_CCACHE})
endif()

add_library(gen_settings INTERFACE)
add_library(gen::settings ALIAS gen_settings)
target_include_directories(gen_settings INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_compile_options(gen_settings INTERFACE -fPIC -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
                       $<$<BOOL:${GEN_WERROR}>:-Werror>)
# g++ 12 takes "z" + std::to_string(i) for an overflow or overlap (GCC bugs 105329, 105651).
target_compile_options(gen_settings INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow -Wno-restrict -Wno-array-bounds>)
target_compile_definitions(gen_settings INTERFACE GEN_VERSION="${PROJECT_VERSION}")
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  target_compile_options(gen_settings INTERFACE "SHELL:-Xclang -fno-pch-timestamp")
  add_link_options(-fuse-ld=lld)
endif()
if(GEN_SANITIZE)
  target_compile_options(gen_settings INTERFACE -fsanitize=${GEN_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${GEN_SANITIZE})
  if(GEN_BUILD_FUZZERS)
    target_compile_options(gen_settings INTERFACE -fsanitize=fuzzer-no-link)
  endif()
endif()
