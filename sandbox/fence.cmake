# spec and result: what callers of the launcher need to know.
add_library(paddock_sandbox STATIC spec.c result.c)
target_link_libraries(paddock_sandbox PUBLIC paddock_common)

# The fence itself, and the launcher.
add_library(
  paddock_sandbox_fence STATIC
  capabilities.c
  child.c
  fence.c
  identity.c
  init.c
  landlock.c
  launch.c
  limits.c
  mounts.c
  output.c
  plan.c
  report.c
  seed.c
  setup.c
  supervise.c
  watch.c
  weaken_report.c
  witness.c)
target_link_libraries(paddock_sandbox_fence PUBLIC paddock_sandbox paddock_sandbox_host
                                                   paddock_policies paddock_common)

add_executable(paddock-sandbox paddock_sandbox.c)
target_link_libraries(paddock-sandbox PRIVATE paddock_sandbox_fence)
paddock_static(paddock-sandbox)
install(TARGETS paddock-sandbox DESTINATION bin)
