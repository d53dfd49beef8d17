/*
 * ./dev bench launch: start-to-exit of /bin/true in the full fence, beside a
 * bare fork+exec, bubblewrap and crun, in one interleaved run.
 *
 * Fairness: every round launches each tool once, in a fresh random order, so
 * that drift of the machine hits all alike; before each sample we wait for a
 * quiet moment (procs_running). All get the same job: new user, mount, pid,
 * net, ipc, uts and cgroup namespaces, read-only /usr, fresh proc, tmpfs /tmp,
 * no capabilities, and the same compiled filter (crun: its own JSON profile,
 * generated from the names our policy allows without conditions). Paddock
 * alone also sets up control groups, limits, captured output and a result.
 */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "policies/policy.h"
#include "tests/bench/bench.h"

#include <stdlib.h>
#include <sys/stat.h>

/* Returns the bundle's folder in fresh memory. */
static char *write_crun_bundle(const struct bench *b, const char *policy_path) {
    char *bundle = path_join(b->dir, "bundle");
    _cleanup_free_ char *rootfs = path_join(bundle, "rootfs");
    _cleanup_error_ struct error err = {0};
    if (dir_make(rootfs, 0755, &err) < 0) bench_fail("bundle", &err);
    static const char *const dirs[] = {"usr", "proc", "tmp", "dev", "sys"};
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        _cleanup_free_ char *d = path_join(rootfs, dirs[i]);
        mkdir(d, 0755);
    }
    static const char *const links[] = {"bin", "lib", "lib64", "sbin"};
    for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
        _cleanup_free_ char *to = path_join("usr", links[i]);
        _cleanup_free_ char *at = path_join(rootfs, links[i]);
        if (symlink(to, at) < 0) perror("symlink");
    }
    _cleanup_policy_ struct policy policy = {0};
    if (policy_load(policy_path, &policy, &err) < 0) bench_fail("policy", &err);
    _cleanup_buf_ struct buf names = {0};
    for (size_t i = 0; i < policy.rule_count; i++) {
        const struct policy_rule *r = &policy.rules[i];
        if (r->action != POLICY_ALLOW || r->condition_count) continue;
        for (size_t c = 0; r->calls[c]; c++)
            buf_printf(&names, "%s\"%s\"", names.len ? "," : "",
                       r->calls[c] + (r->calls[c][0] == '?'));
    }
    /* clone has conditions with us; crun's own default lets it through. */
    buf_puts(&names, ",\"clone\",\"ioctl\",\"prctl\",\"socket\"");
    _cleanup_free_ char *text = str_printf(
        "{\"ociVersion\":\"1.0.0\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"/bin/"
        "true\"],"
        "\"env\":[\"PATH=/usr/bin:/bin\"],\"cwd\":\"/"
        "\",\"capabilities\":{},\"noNewPrivileges\":true},"
        "\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"mounts\":["
        "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
        "{\"destination\":\"/"
        "tmp\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"nodev\"]},"
        "{\"destination\":\"/usr\",\"type\":\"bind\",\"source\":\"/"
        "usr\",\"options\":[\"bind\",\"ro\"]},"
        "{\"destination\":\"/"
        "dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"mode=755\"]}],"
        "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"ipc\"},{"
        "\"type\":\"uts\"},"
        "{\"type\":\"network\"},{\"type\":\"user\"},{\"type\":\"cgroup\"}],"
        "\"uidMappings\":[{\"containerID\":0,\"hostID\":%s,\"size\":%s}],"
        "\"gidMappings\":[{\"containerID\":0,\"hostID\":%s,\"size\":%s}],"
        "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X86_64\"]"
        ","
        "\"syscalls\":[{\"names\":[%s],\"action\":\"SCMP_ACT_ALLOW\"}]}}}",
        geteuid() ? "1000" : "1879048192", geteuid() ? "1" : "65536",
        geteuid() ? "1000" : "1879048192", geteuid() ? "1" : "65536", buf_text(&names));
    _cleanup_free_ char *config = path_join(bundle, "config.json");
    bench_write_text(config, text);
    return bundle;
}

int main(int argc, char **argv) {
    struct bench b;
    bench_begin(&b, argc, argv, 200, "bench_launch");
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *policy = policy_find("strict", &err);
    if (!policy) bench_fail("policy strict", &err);
    if (bench_write_filter(&b, policy, &err) < 0) bench_fail("filter", &err);
    _cleanup_free_ char *spec = bench_write_spec(&b, "spec.json",
                                                 &(struct bench_spec){.policy = policy,
                                                                      .argv = "[\"/bin/true\"]",
                                                                      .limits = BENCH_EASY_LIMITS});
    _cleanup_free_ char *bundle = write_crun_bundle(&b, policy);
    _cleanup_free_ char *launcher = bench_bin("paddock-sandbox");
    _cleanup_free_ char *paddock = bench_bin("paddock");
    b.v2_view = bench_make_v2_view();

    struct bench_tool tools[] = {
        {.name = "bare fork+exec"},
        {.name = "paddock-sandbox run"},
        {.name = "paddock exec"},
        {.name = "bwrap, all namespaces + filter"},
        {.name = "crun run, user ns + seccomp", .in_v2_view = b.v2_view >= 0},
    };
    const char *const job[] = {"/bin/true", NULL};
    bench_set_args(&tools[0], job);
    bench_set_args(&tools[1], (const char *[]){launcher, "run", spec, "--dir", b.run_dir, NULL});
    bench_set_args(&tools[2], (const char *[]){paddock, "exec", "--policy", "strict", "--net",
                                               "none", "--", "/bin/true", NULL});
    bench_bwrap(&tools[3], &b, NULL, job);
    bench_set_args(&tools[4], (const char *[]){"/usr/bin/crun", "--cgroup-manager=disabled", "run",
                                               "--bundle", bundle, "paddock-bench", NULL});
    for (size_t i = 0; i < ARRAY_SIZE(tools); i++) bench_try(&tools[i], &b);
    bench_rounds(tools, ARRAY_SIZE(tools), &b, bench_launch);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    json_open_object(w, NULL);
    bench_report(tools, ARRAY_SIZE(tools), &b, "start to exit of /bin/true, ms", w);
    json_close_object(w);
    bench_save(&b, w);
    bench_free_samples(tools, ARRAY_SIZE(tools));
    bench_end(&b);
    return tools[1].available ? 0 : 1;
}
