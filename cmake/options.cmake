# Flags for every target: paddock_options.
add_library(paddock_options INTERFACE)
target_include_directories(paddock_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(paddock_options INTERFACE _GNU_SOURCE
                           PADDOCK_VERSION="${PROJECT_VERSION}")
target_compile_options(
  paddock_options
  INTERFACE -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
            -Wformat=2 -Wvla -fstack-protector-strong -fno-strict-aliasing)
if(PADDOCK_WERROR)
  target_compile_options(paddock_options INTERFACE -Werror)
endif()
if(PADDOCK_SANITIZE)
  target_compile_options(paddock_options INTERFACE -fsanitize=address,undefined
                                                   -fno-sanitize-recover=undefined
                                                   -fno-omit-frame-pointer)
  target_link_options(paddock_options INTERFACE -fsanitize=address,undefined)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(paddock_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()

# Coverage that guides the fuzzer; the engine itself is linked by tests/fuzz alone.
if(PADDOCK_FUZZ)
  target_compile_options(paddock_options INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(paddock_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# paddock_static(TARGET): no dynamic loader on the launch path. A dynamic exec
# costs about half a millisecond (docs/benchmarks.md), and nothing an attacker
# could preload is looked for. Sanitizers need the dynamic runtime.
function(paddock_static target)
  if(NOT PADDOCK_SANITIZE)
    target_link_options(${target} PRIVATE -static)
  endif()
endfunction()

# Never to be installed: ./dev escape --without LAYER.
if(PADDOCK_WEAKEN)
  target_compile_definitions(paddock_options INTERFACE PADDOCK_WEAKEN)
  install(CODE "message(FATAL_ERROR \"a weakened test build is not installed\")")
endif()
