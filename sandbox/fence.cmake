# spec and result: what callers of the launcher need to know.
add_library(paddock_sandbox STATIC spec.c spec_clock.c spec_gpus.c spec_limits.c result.c result_quiet.c
                                   result_gpus.c result_violation.c request.c)
target_link_libraries(paddock_sandbox PUBLIC paddock_common)

# The fence itself, and the launcher.
add_library(
  paddock_sandbox_fence STATIC
  capabilities.c
  child.c
  elsewhere.c
  fence.c
  gate.c
  gauge.c
  gpu_cdi.c
  gpu_cdi_idle.c
  gpu_choose.c
  gpu_elf.c
  gpu_library.c
  gpu_loan.c
  gpu_plan.c
  handover.c
  identity.c
  init.c
  janitor.c
  landlock.c
  launch.c
  learn.c
  limits.c
  lines.c
  listener.c
  mounts.c
  mover.c
  order.c
  output.c
  plan.c
  port.c
  quiet.c
  report.c
  run_folder.c
  seed.c
  serve.c
  setup.c
  steps.c
  supervise.c
  told.c
  violation.c
  watch.c
  weaken_report.c
  witness.c
  witness_machine.c)
target_link_libraries(paddock_sandbox_fence PUBLIC paddock_sandbox paddock_sandbox_host
                                                   paddock_policies paddock_common)
paddock_musl_twin(paddock_sandbox)
paddock_musl_twin(paddock_sandbox_fence)

add_executable(paddock-sandbox paddock_sandbox.c)
paddock_launch_program(
  paddock-sandbox paddock_sandbox_fence paddock_sandbox_host paddock_sandbox paddock_policies
  paddock_policies_core paddock_common)
install(TARGETS paddock-sandbox DESTINATION bin)
