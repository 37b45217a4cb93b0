# Warnings are errors in our own code, and sanitizers apply to all of it.
function(clustermass_apply_warnings target)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wconversion
                         -Wno-sign-conversion -Wshadow -Werror -Wno-psabi>)
  if(CLUSTERMASS_SANITIZE)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${CLUSTERMASS_SANITIZE}
                           -fno-omit-frame-pointer -g>)
    target_link_options(${target} PUBLIC -fsanitize=${CLUSTERMASS_SANITIZE})
  endif()
endfunction()
