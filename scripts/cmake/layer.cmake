# gen_layer(NAME [USES layer...] [LINKS target...]): the object library gen_NAME of src/NAME/**.cpp.
# gen_library(NAME layer...): the shared library libNAME of those layers.
# gen_pch(NAME HEADER): compiles HEADER once; gen_use_pch(TARGET [NAME]): TARGET takes it (gen_pch unless named).
function(gen_pch name header)
  if(GEN_USE_PCH)
    add_library(${name} OBJECT ${PROJECT_SOURCE_DIR}/src/pch.cpp)
    target_link_libraries(${name} PRIVATE gen::settings torch::cpu nlohmann_json::nlohmann_json ${ARGN})
    target_precompile_headers(${name} PRIVATE ${header})
  endif()
endfunction()

function(gen_use_pch target)
  target_link_libraries(${target} PRIVATE gen::settings torch::cpu nlohmann_json::nlohmann_json)
  if(GEN_USE_PCH)
    set(pch gen_pch)
    if(ARGN)
      list(GET ARGN 0 pch)
    endif()
    target_precompile_headers(${target} REUSE_FROM ${pch})
  endif()
endfunction()

gen_pch(gen_pch ${PROJECT_SOURCE_DIR}/src/pch.h)

function(gen_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES;LINKS")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/(cli/main|core/log_sink|ops/simd/[^/]*)\\.cpp$")
  if(NOT sources)
    set(sources ${PROJECT_SOURCE_DIR}/src/pch.cpp)
  endif()
  add_library(gen_${name} OBJECT ${sources})
  gen_use_pch(gen_${name})
  foreach(used ${arg_USES})
    target_link_libraries(gen_${name} PUBLIC gen_${used}_interface)
  endforeach()
  add_library(gen_${name}_interface INTERFACE)
  target_link_libraries(gen_${name}_interface INTERFACE ${arg_LINKS})
  target_link_libraries(gen_${name} PUBLIC ${arg_LINKS})
endfunction()

function(gen_library name)
  add_library(lib${name} SHARED)
  set_target_properties(lib${name} PROPERTIES OUTPUT_NAME ${name})
  foreach(layer ${ARGN})
    target_sources(lib${name} PRIVATE $<TARGET_OBJECTS:gen_${layer}>)
    if(TARGET gen_${layer}_interface)
      target_link_libraries(lib${name} PUBLIC gen_${layer}_interface)
    endif()
  endforeach()
  target_link_libraries(lib${name} PRIVATE spdlog::spdlog)
  target_link_libraries(lib${name} PUBLIC gen::settings torch::cpu nlohmann_json::nlohmann_json)
endfunction()

# gen_simd(ISA LANES option...): src/ops/simd/*.cpp compiled for one instruction set, chosen at run time by
# src/ops/kernels.cpp. They include no torch header and so need no precompiled one.
function(gen_simd isa lanes)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/ops/simd/*.cpp)
  add_library(gen_simd_${isa} OBJECT ${sources})
  target_link_libraries(gen_simd_${isa} PRIVATE gen::settings)
  target_compile_definitions(gen_simd_${isa} PRIVATE GEN_SIMD_NAME=${isa} GEN_SIMD_LANES=${lanes} GEN_SIMD_TEXT="${isa}")
  # Fast even where the rest is built for debugging: the kernels rely on inlining.
  target_compile_options(gen_simd_${isa} PRIVATE -O3 ${ARGN})
  # g++ 12 takes its own _mm512_undefined_ps() for a mistake of ours (GCC bug 105593).
  target_compile_options(gen_simd_${isa} PRIVATE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized> $<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized>)
endfunction()
