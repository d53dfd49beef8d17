# From a policy, the same without its refusals: what holds below the filter is
# tried with it. Left out is what would harm the machine if it worked: kexec,
# modules, reboot, swap.
["mount", "umount2", "pivot_root", "chroot", "fsopen", "fsconfig", "fsmount", "open_tree", "move_mount",
 "unshare", "setns", "bpf", "sethostname", "setdomainname", "settimeofday", "open_by_handle_at", "ptrace",
 "mknod", "mknodat", "setpriority", "clone", "keyctl", "add_key", "request_key", "capset",
 "process_vm_readv", "pidfd_getfd", "kcmp", "perf_event_open", "acct", "syslog", "sched_setscheduler"] as $open |
.name = "open" |
.rules |= map(.calls -= $open | select(.calls | length > 0)) |
.rules += [{name: "open", action: "allow", reason: "the layers below are tried", calls: $open}]
