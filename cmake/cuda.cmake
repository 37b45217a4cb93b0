# The CUDA extension is optional: a package without it installs everywhere, and a machine without a GPU can compile it.
# Relocatable device code stays off: one translation unit per op, no device link step.
set(CLUSTERMASS_CUDA_ENABLED OFF)
if(NOT CLUSTERMASS_CUDA STREQUAL "OFF" AND EXISTS ${PROJECT_SOURCE_DIR}/cuda/CMakeLists.txt)
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES 80-real 90)  # 90 also carries PTX for later devices
    endif()
    set(CMAKE_CUDA_STANDARD 17)
    set(CMAKE_CUDA_STANDARD_REQUIRED ON)
    set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
    enable_language(CUDA)
    set(CLUSTERMASS_CUDA_ENABLED ON)
  elseif(CLUSTERMASS_CUDA STREQUAL "ON")
    message(FATAL_ERROR "CLUSTERMASS_CUDA=ON but no CUDA compiler (nvcc) was found")
  endif()
endif()
