# Hot loops are compiled once per instruction set and chosen at run time, so that one binary is fast everywhere.
# A file named <op>_loops.cpp defines everything in namespace CM_ISA and must emit no weak symbol: the linker would
# otherwise be free to give every processor the AVX-512 copy (tests/meta/test_instruction_sets.py looks for them).
# Two kinds of loops. EXACT: no contraction, so that decisions and random numbers have the same bits for every
# instruction set. SMOOTH: contraction to fused multiply-add allowed, for sums whose rounding nobody decides by.
set(CLUSTERMASS_ISAS baseline)
if(CLUSTERMASS_MULTI_ISA AND NOT CLUSTERMASS_NATIVE AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND CLUSTERMASS_ISAS avx2 avx512)
endif()
set(CLUSTERMASS_ISA_FLAGS_baseline "")
set(CLUSTERMASS_ISA_FLAGS_avx2 -march=x86-64-v3)
set(CLUSTERMASS_ISA_FLAGS_avx512 -march=x86-64-v4 -mprefer-vector-width=512)
set(CLUSTERMASS_CONTRACT_EXACT -ffp-contract=off)
set(CLUSTERMASS_CONTRACT_SMOOTH -ffp-contract=fast)

function(clustermass_add_loops target kind)
  foreach(isa IN LISTS CLUSTERMASS_ISAS)
    set(part ${target}_${kind}_${isa})
    add_library(${part} OBJECT ${ARGN})
    target_include_directories(${part} PRIVATE ${PROJECT_SOURCE_DIR}/cpp/include)
    target_compile_definitions(${part} PRIVATE CM_ISA=${isa})
    target_compile_options(${part} PRIVATE -O3 -fno-math-errno -fno-trapping-math ${CLUSTERMASS_CONTRACT_${kind}}
                           ${CLUSTERMASS_ISA_FLAGS_${isa}})
    if(CLUSTERMASS_NATIVE)
      target_compile_options(${part} PRIVATE -march=native)
    endif()
    clustermass_apply_warnings(${part})
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${part}>)
  endforeach()
  list(LENGTH CLUSTERMASS_ISAS n_isas)
  if(n_isas GREATER 1)
    target_compile_definitions(${target} PUBLIC CM_MULTI_ISA=1)
  endif()
endfunction()
