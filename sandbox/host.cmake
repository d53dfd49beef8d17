# What the launcher does to the machine: groups, the live registry, collection,
# and what the machine can do at all.
add_library(
  paddock_sandbox_host STATIC
  cgroup.c
  cgroup_devices.c
  cgroup_io.c
  cgroup_kill.c
  cgroup_map.c
  cgroup_sweep.c
  cgroup_usage.c
  cgroup_v1.c
  cgroup_v2.c
  cgroup_v2_limits.c
  collect.c
  collect_walk.c
  gpu_inventory.c
  gpu_lease.c
  ldcache.c
  lease.c
  live.c
  live_dir.c
  probe.c
  probe_groups.c
  probe_kernel.c
  probe_machine.c
  probe_mounts.c
  run_delay.c
  weaken.c)
target_link_libraries(paddock_sandbox_host PUBLIC paddock_common)
paddock_musl_twin(paddock_sandbox_host)
