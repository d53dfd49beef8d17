# The programs on the launch path, linked against musl where it is installed.
#
# glibc's start-up asks the processor about itself with some hundred CPUID
# instructions, each of which leaves a virtual machine: about 0.45 ms of every
# launch (docs/benchmarks.md). musl asks nothing. The sources are the same ones;
# a twin of a library is compiled a second time with musl's headers. Without
# musl, or under sanitizers, the programs are linked against glibc and only
# start later.
set(paddock_musl_specs /usr/lib/${CMAKE_C_LIBRARY_ARCHITECTURE}/musl-gcc.specs)
string(REPLACE -gnu -musl paddock_musl_specs ${paddock_musl_specs})
option(PADDOCK_MUSL "Link the launch path against musl" ON)
set(paddock_musl OFF)
if(PADDOCK_MUSL AND NOT PADDOCK_SANITIZE AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  if(EXISTS ${paddock_musl_specs})
    set(paddock_musl ON)
  else()
    message(STATUS "musl-tools is not installed: launches take about 0.4 ms longer")
  endif()
endif()

add_library(paddock_musl_options INTERFACE)
# The kernel's headers, and those of yajl and nettle, come after musl's own. The
# two libraries are plain C and bring nothing of glibc but its checking variants
# of a few functions (musl_shim.c).
target_compile_options(
  paddock_musl_options
  INTERFACE -specs=${paddock_musl_specs} "SHELL:-idirafter /usr/include"
            "SHELL:-idirafter /usr/include/${CMAKE_C_LIBRARY_ARCHITECTURE}" -U_FORTIFY_SOURCE)
target_link_options(paddock_musl_options INTERFACE -specs=${paddock_musl_specs} -static)

# paddock_musl_twin(TARGET [WITHOUT SOURCE...]): TARGET_musl, the same sources
# with musl's headers. Its dependencies are named where a program is linked.
function(paddock_musl_twin target)
  if(NOT paddock_musl)
    return()
  endif()
  cmake_parse_arguments(arg "" "" WITHOUT ${ARGN})
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources EXCLUDE REGEX TARGET_OBJECTS)
  if(arg_WITHOUT)
    list(REMOVE_ITEM sources ${arg_WITHOUT})
  endif()
  add_library(${target}_musl STATIC EXCLUDE_FROM_ALL ${sources})
  target_link_libraries(${target}_musl PRIVATE paddock_options paddock_musl_options)
  target_include_directories(${target}_musl SYSTEM PRIVATE ${SECCOMP_INCLUDE_DIRS}
                                                           ${NETTLE_INCLUDE_DIRS})
endfunction()

# paddock_launch_program(TARGET LIBRARY...): links a program of the launch path.
function(paddock_launch_program target)
  if(NOT paddock_musl)
    target_link_libraries(${target} PRIVATE ${ARGN})
    paddock_static(${target})
    return()
  endif()
  list(TRANSFORM ARGN APPEND _musl OUTPUT_VARIABLE twins)
  target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/cmake/musl_shim.c)
  # As a group: the compiled policies and their finder name each other.
  target_link_libraries(${target} PRIVATE paddock_options paddock_musl_options -Wl,--start-group
                                          ${twins} -Wl,--end-group)
  foreach(archive libseccomp.a libyajl_s.a libnettle.a)
    find_library(paddock_${archive} ${archive} REQUIRED)
    target_link_libraries(${target} PRIVATE ${paddock_${archive}})
  endforeach()
endfunction()
