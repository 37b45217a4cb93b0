# Sanitizers and warnings apply to all of our own code. Warnings are errors in CI and in the presets, not where a
# user builds with a compiler that we have not seen.
function(clustermass_apply_warnings target)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wconversion
                         -Wno-sign-conversion -Wshadow -Wno-psabi $<$<BOOL:${CLUSTERMASS_WERROR}>:-Werror>>)
  if(CLUSTERMASS_SANITIZE)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${CLUSTERMASS_SANITIZE}
                           -fno-omit-frame-pointer -g>)
    target_link_options(${target} PUBLIC -fsanitize=${CLUSTERMASS_SANITIZE})
  endif()
endfunction()
