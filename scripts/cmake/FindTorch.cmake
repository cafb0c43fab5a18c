# Finds LibTorch as the Python wheel lays it out and makes torch::cpu (libtorch_cpu and libc10 only: the GPU's
# libraries are opened at run time, see src/core/device.cpp). The wheel's own TorchConfig.cmake wants a CUDA
# toolkit even for a program without CUDA.
#
# Looked for in GEN_TORCH_DIR (cache or environment: the folder that holds torch/, or torch/ itself), then in
# build/torch of the source tree, where scripts/setup.sh puts it.
set(GEN_TORCH_DIR "$ENV{GEN_TORCH_DIR}" CACHE PATH "Folder of LibTorch (holds include/ and lib/, or torch/)")
set(_hints ${GEN_TORCH_DIR} ${GEN_TORCH_DIR}/torch)
if(NOT GEN_TORCH_DIR)
  set(_hints ${PROJECT_SOURCE_DIR}/build/torch/torch)
endif()
find_path(Torch_ROOT_DIR include/torch/csrc/api/include/torch/torch.h HINTS ${_hints} NO_DEFAULT_PATH)
find_path(Torch_CSRC_DIR torch/torch.h HINTS ${Torch_ROOT_DIR}/include/torch/csrc/api/include NO_DEFAULT_PATH)
find_library(Torch_CPU_LIBRARY torch_cpu HINTS ${Torch_ROOT_DIR}/lib NO_DEFAULT_PATH)
find_library(Torch_C10_LIBRARY c10 HINTS ${Torch_ROOT_DIR}/lib NO_DEFAULT_PATH)
find_file(Torch_OMP_LIBRARY libgomp.so.1 HINTS ${Torch_ROOT_DIR}/lib NO_DEFAULT_PATH)

if(Torch_ROOT_DIR AND EXISTS ${Torch_ROOT_DIR}/include/torch/headeronly/version.h)
  file(STRINGS ${Torch_ROOT_DIR}/include/torch/headeronly/version.h _lines
       REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE "[^0-9;]" "" _numbers "${_lines}")
  string(REPLACE ";" "." Torch_VERSION "${_numbers}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Torch
  REQUIRED_VARS Torch_ROOT_DIR Torch_CSRC_DIR Torch_CPU_LIBRARY Torch_C10_LIBRARY Torch_OMP_LIBRARY
  VERSION_VAR Torch_VERSION
  REASON_FAILURE_MESSAGE "run scripts/setup.sh, or point GEN_TORCH_DIR at a LibTorch ${Torch_FIND_VERSION}")

if(Torch_FOUND AND NOT TARGET torch::cpu)
  add_library(torch::cpu INTERFACE IMPORTED)
  target_include_directories(torch::cpu SYSTEM INTERFACE ${Torch_ROOT_DIR}/include ${Torch_CSRC_DIR})
  target_link_libraries(torch::cpu INTERFACE ${Torch_CPU_LIBRARY} ${Torch_C10_LIBRARY} ${Torch_OMP_LIBRARY})
  list(APPEND CMAKE_BUILD_RPATH ${Torch_ROOT_DIR}/lib)
  # libtorch_cpu needs libcudart and libcupti, which the wheel expects in a folder beside its own.
  set(_cuda_dir ${Torch_ROOT_DIR}/../nvidia/cu13/lib)
  if(EXISTS ${_cuda_dir})
    get_filename_component(_cuda_dir ${_cuda_dir} REALPATH)
    target_link_options(torch::cpu INTERFACE -Wl,-rpath-link,${_cuda_dir})
  endif()
  target_link_options(torch::cpu INTERFACE -Wl,--allow-shlib-undefined)
endif()
