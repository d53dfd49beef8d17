/*
 * Hostile specs and hostile images: what the launcher itself is given. "refused"
 * is exit status 125 without a result; it may not crash, hang, or leave anything.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "tests/escape/escape.h"
#include "tests/escape/launch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct hostile {
    const char *name, *expected;
    const char *id, *argv, *policy; /* JSON values; NULL: an honest one */
    const char *extra;              /* further members, beginning with a comma */
    const char *whole;              /* instead of all that */
};

#define EXTRA(n, e, x) \
    { .name = "spec-" n, .expected = (e), .extra = "," x }
#define MOUNT_AT(n, e, target) \
    EXTRA(n, e, "\"mounts\":[{\"source\":\"@DATA@\",\"target\":\"" target "\"}]")
#define MOUNT_OF(n, e, source) \
    EXTRA(n, e, "\"mounts\":[{\"source\":\"" source "\",\"target\":\"/data\"}]")
#define SETUP "ended:setup-error"
static const struct hostile specs[] = {
    {.name = "spec-id-dotdot", .expected = "refused", .id = "\"../x\""},
    {.name = "spec-id-slash", .expected = "refused", .id = "\"a/b\""},
    {.name = "spec-id-empty", .expected = "refused", .id = "\"\""},
    {.name = "spec-id-nul", .expected = "refused", .id = "\"x\\u0000y\""},
    {.name = "spec-id-number", .expected = "refused", .id = "17"},
    {.name = "spec-id-reserved", .expected = "refused|" SETUP, .id = "\"ids\""},
    {.name = "spec-argv-none", .expected = "refused", .argv = "[]"},
    {.name = "spec-argv-nul", .expected = "refused", .argv = "[\"a\\u0000b\"]"},
    {.name = "spec-argv-empty", .expected = "refused|ended:exit", .argv = "[\"\"]"},
    {.name = "spec-argv-surrogate", .expected = "refused|ended:exit", .argv = "[\"\\ud800\"]"},
    {.name = "spec-argv-folder", .expected = "ended:exit", .argv = "[\"/work\"]"},
    {.name = "spec-argv-descriptor", .expected = "ended:exit", .argv = "[\"/proc/self/fd/3\"]"},
    {.name = "spec-argv-launcher",
     .expected = "ended:exit|ended:signal|ended:policy-violation",
     .argv = "[\"/proc/self/exe\", \"run\", \"/data/open\"]"},
    {.name = "spec-policy-relative", .expected = "refused", .policy = "\"train.json\""},
    {.name = "spec-policy-missing", .expected = SETUP, .policy = "\"/no/such/policy\""},
    {.name = "spec-policy-folder", .expected = SETUP, .policy = "\"/usr\""},
    {.name = "spec-policy-endless", .expected = SETUP, .policy = "\"/dev/zero\""},
    {.name = "spec-policy-memory", .expected = SETUP, .policy = "\"/proc/self/mem\""},
    EXTRA("env-no-value", "refused", "\"env\":[\"novalue\"]"),
    EXTRA("env-no-name", "refused|ended:exit", "\"env\":[\"=x\"]"),
    EXTRA("env-nul", "refused", "\"env\":[\"A=b\\u0000c\"]"),
    EXTRA("env-loader", "ended:exit",
          "\"env\":[\"LD_PRELOAD=/data/tool\",\"LD_AUDIT=/data/tool\"]"),
    EXTRA("limit-negative", "refused", "\"limits\":{\"wall_ms\":-1}"),
    EXTRA("limit-fraction", "refused", "\"limits\":{\"wall_ms\":1.5}"),
    EXTRA("limit-string", "refused", "\"limits\":{\"wall_ms\":\"10\"}"),
    EXTRA("limit-beyond", "refused", "\"limits\":{\"wall_ms\":9223372036854775808}"),
    EXTRA("limit-exponent", "refused", "\"limits\":{\"wall_ms\":1e999}"),
    EXTRA("limit-greatest", "refused|ended:exit", "\"limits\":{\"wall_ms\":9223372036854775807}"),
    EXTRA("limit-greatest-cpu", "refused|ended:exit",
          "\"limits\":{\"cpu_ms\":9223372036854775807}"),
    EXTRA("limit-greatest-memory", "refused|ended:exit",
          "\"limits\":{\"memory_bytes\":9223372036854775807}"),
    EXTRA("limit-greatest-pids", "refused|ended:exit", "\"limits\":{\"pids\":9223372036854775807}"),
    EXTRA("limit-greatest-disk", "refused|ended:exit|" SETUP,
          "\"limits\":{\"disk_bytes\":9223372036854775807,\"disk_inodes\":9223372036854775807}"),
    EXTRA("limit-greatest-grace", "refused|ended:exit",
          "\"limits\":{\"grace_ms\":9223372036854775807}"),
    EXTRA("limit-least-memory", SETUP "|ended:memory-limit|ended:exit",
          "\"limits\":{\"memory_bytes\":1}"),
    EXTRA("limit-least-pids", "ended:exit|ended:pids-limit|" SETUP, "\"limits\":{\"pids\":1}"),
    EXTRA("limit-least-files", "refused", "\"limits\":{\"open_files\":1}"),
    EXTRA("limit-least-disk", "ended:exit|ended:disk-limit|" SETUP,
          "\"limits\":{\"disk_bytes\":1,\"disk_inodes\":1}"),
    EXTRA("cwd-descriptor", SETUP, "\"cwd\":\"/proc/self/fd/7\""),
    EXTRA("cwd-own-descriptor", SETUP, "\"cwd\":\"/proc/self/fd/3\""),
    EXTRA("cwd-init", SETUP, "\"cwd\":\"/proc/1/root\""),
    EXTRA("cwd-relative", "refused", "\"cwd\":\"work\""),
    EXTRA("cwd-dotdot", "refused", "\"cwd\":\"/../..\""),
    EXTRA("cwd-host", SETUP, "\"cwd\":\"@SECRET@\""),
    EXTRA("cwd-file", SETUP, "\"cwd\":\"/etc/passwd\""),
    EXTRA("host-name-long", "refused",
          "\"hostname\":"
          "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\""),
    EXTRA("host-name-blank", "refused", "\"hostname\":\"a b\""),
    EXTRA("network-host", "refused", "\"network\":\"host\""),
    EXTRA("stdin-file", "refused", "\"stdin\":\"file\""),
    EXTRA("workspace-root", "refused", "\"workspace\":{\"target\":\"/\"}"),
    EXTRA("workspace-proc", "refused", "\"workspace\":{\"target\":\"/proc/self\"}"),
    EXTRA("workspace-dev", "refused", "\"workspace\":{\"target\":\"/dev/work\"}"),
    EXTRA("workspace-dotdot", "refused", "\"workspace\":{\"target\":\"/work/../x\"}"),
    EXTRA("workspace-usr", SETUP, "\"workspace\":{\"target\":\"/usr/work\"}"),
    EXTRA("workspace-source-file", SETUP, "\"workspace\":{\"source\":\"@DATA@/open\"}"),
    EXTRA("workspace-source-socket", SETUP, "\"workspace\":{\"source\":\"@DATA@\"}"),
    MOUNT_AT("mount-root", "refused", "/"),
    MOUNT_AT("mount-proc", "refused", "/proc/sys"),
    MOUNT_AT("mount-sys", "refused", "/sys/x"),
    MOUNT_AT("mount-dev", "refused", "/dev"),
    MOUNT_AT("mount-dotdot", "refused", "/a/../b"),
    MOUNT_AT("mount-double-slash", "refused", "//a"),
    MOUNT_AT("mount-relative", "refused", "data"),
    MOUNT_AT("mount-through-link", SETUP, "/bin/x"),
    MOUNT_AT("mount-in-usr", SETUP, "/usr/no-such-folder/x"),
    MOUNT_AT("mount-newline", "refused|ended:exit", "/a\\nb"),
    MOUNT_OF("source-missing", SETUP, "/no/such/source"),
    MOUNT_OF("source-relative", "refused", "data"),
    MOUNT_OF("source-device", SETUP, "/dev/null"),
    MOUNT_OF("source-socket", SETUP, "@DATA@/socket"),
    MOUNT_OF("source-namespace", SETUP, "/proc/self/ns/mnt"),
    EXTRA("collect-dotdot", "refused", "\"collect\":[{\"path\":\"../x\"}]"),
    EXTRA("collect-absolute", "refused", "\"collect\":[{\"path\":\"/etc/passwd\"}]"),
    EXTRA("collect-as-dotdot", "refused", "\"collect\":[{\"path\":\"x\",\"as\":\"../../x\"}]"),
    EXTRA("collect-as-absolute", "refused", "\"collect\":[{\"path\":\"x\",\"as\":\"/tmp/x\"}]"),
    EXTRA("cpus-word", "refused", "\"cpus\":\"all\""),
    EXTRA("cpus-negative", "refused", "\"cpus\":\"-1\""),
    EXTRA("cpus-huge", "refused", "\"cpus\":\"0-99999999999999999999\""),
    EXTRA("require-unknown", SETUP, "\"require\":[\"no-such-layer\"]"),
    EXTRA("unknown-key", "refused", "\"privileged\":true"),
    EXTRA("duplicate-key", "refused", "\"id\":\"second\""),
    {.name = "spec-empty", .expected = "refused", .whole = ""},
    {.name = "spec-not-json", .expected = "refused", .whole = "privileged: true"},
    {.name = "spec-array", .expected = "refused", .whole = "[]"},
    {.name = "spec-trailing", .expected = "refused", .whole = "{} {}"},
    {.name = "spec-invalid-utf8", .expected = "refused", .whole = "{\"id\":\"\xff\xfe\"}"},
};

static char *write_document(const struct hostile *s) {
    if (s->whole) return strdup(s->whole);
    return str_printf("{\"id\":%s,\"argv\":%s,\"policy\":%s%s}", s->id ? s->id : "\"@ID@\"",
                      s->argv ? s->argv : "[\"/usr/bin/true\"]",
                      s->policy ? s->policy : "\"@POLICIES@/train.json\"",
                      s->extra ? s->extra : "");
}

static char *judge(const struct launch *l) {
    if (l->outlasted) return strdup("hung");
    if (WIFSIGNALED(l->status)) return str_printf("SIG%s", sigabbrev_np(WTERMSIG(l->status)));
    if (l->has_result) return str_printf("ended:%s", ended_name(l->result.ended));
    if (WEXITSTATUS(l->status) == 125) return strdup("refused");
    return str_printf("status %d", WEXITSTATUS(l->status));
}

static int run_document(struct runner *r, const char *name, const char *layer, const char *expected,
                        const char *text, struct error *err) {
    struct launch l;
    if (launch_start_text(&l, &r->host, text, err) < 0) return -1;
    launch_wait(&l, 30);
    _cleanup_free_ char *got = judge(&l);
    _cleanup_buf_ struct buf seen = {0};
    host_settle(&r->host, l.id);
    host_look(&r->host, l.id, &seen);
    host_end(l.id);
    host_remove_groups("/sys/fs/cgroup", l.id);
    _cleanup_free_ char *changed = str_printf("changed: %s", buf_text(&seen));
    row(r, name, layer, expected, seen.len ? changed : got);
    launch_clear(&l);
    return 0;
}

/* Documents that are too long for a table. */
static int run_grown(struct runner *r, const char *name, const char *piece, size_t times,
                     struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    if (!wanted(r, name, "launcher")) return 0;
    buf_puts(&text, "{\"id\":\"@ID@\",\"labels\":{\"x\":");
    for (size_t i = 0; i < times; i++) buf_puts(&text, piece);
    return run_document(r, name, "launcher", "refused", buf_text(&text), err);
}

/* ---- images ---- */

struct image {
    const char *name, *expected;
    const char *links[6][2]; /* name in the image, what it points to */
    const char *folders[4];
    const char *target; /* of a mount of /data */
};

/* Each is a root file system made by a stranger, run by the probe's own mount. */
static const struct image images[] = {
    {"image-dev-link", "ended:exit", {{"dev", "@SECRET@"}, {"sys", "@SECRET@"}}, {"etc"}, NULL},
    {"image-proc-link", "ended:exit", {{"proc", "@SECRET@"}, {"run", "/"}}, {"etc"}, NULL},
    {"image-tmp-link", "ended:exit", {{"tmp", "@SECRET@"}}, {"etc"}, NULL},
    {"image-work-link", SETUP, {{"work", "@SECRET@"}}, {"etc"}, NULL},
    {"image-probe-link", SETUP, {{"probe", "@SECRET@"}}, {"etc"}, NULL},
    {"image-target-link", SETUP, {{"etc", "@SECRET@"}}, {"usr"}, "/etc/made"},
    {"image-target-relative-link", SETUP, {{"etc", "../../../../../../etc"}}, {"usr"}, "/etc/made"},
    {"image-nested-link", SETUP, {{"opt/a", "@SECRET@"}}, {"opt"}, "/opt/a/made"},
    {"image-nested-magic", SETUP, {{"opt/a", "/proc/self/cwd"}}, {"opt"}, "/opt/a/made"},
    {"image-target-file-link", SETUP, {{"opt/a", "@SECRET@/secret"}}, {"opt"}, "/opt/a"},
    {"image-dev-null-link",
     "ended:exit",
     {{"dev/null", "/proc/sys/kernel/core_pattern"},
      {"dev/console", "@SECRET@/secret"},
      {"dev/pts", "@SECRET@"}},
     {"dev"},
     NULL},
    {"image-proc-folder",
     "ended:exit",
     {{"proc/sys", "@SECRET@"}, {"proc/self", "/"}},
     {"proc"},
     NULL},
    {"image-shm-link", "ended:exit", {{"dev/shm", "@SECRET@"}}, {"dev"}, NULL},
    {"image-home-link", "ended:exit", {{"tmp/home", "@SECRET@"}}, {"tmp"}, NULL},
    {"image-dotdot-links",
     "ended:exit",
     {{"usr", "../../../../../../usr"}, {"lib", "/.."}, {"a\nb", "@SECRET@"}},
     {"etc"},
     NULL},
    {"image-empty", "ended:exit", {{NULL, NULL}}, {NULL}, NULL},
};

static char *filled(const struct host *h, const char *text) {
    const char *at = strstr(text, "@SECRET@");
    return at ? str_printf("%s%s", h->secret, at + 8) : strdup(text);
}

static int build_image(const struct host *h, const struct image *m, const char *dir,
                       struct error *err) {
    if (mkdir(dir, 0755) < 0) return error_sys(err, errno, "%s", dir);
    for (size_t i = 0; i < ARRAY_SIZE(m->folders) && m->folders[i]; i++) {
        _cleanup_free_ char *path = path_join(dir, m->folders[i]);
        if (mkdir(path, 0755) < 0) return error_sys(err, errno, "%s", path);
    }
    for (size_t i = 0; i < ARRAY_SIZE(m->links) && m->links[i][0]; i++) {
        _cleanup_free_ char *path = path_join(dir, m->links[i][0]);
        _cleanup_free_ char *to = filled(h, m->links[i][1]);
        if (symlink(to, path) < 0) return error_sys(err, errno, "%s", path);
    }
    return 0;
}

static int run_image(struct runner *r, const struct image *m, struct error *err) {
    _cleanup_free_ char *dir = path_join(r->host.work, m->name);
    if (build_image(&r->host, m, dir, err) < 0) return -1;
    _cleanup_free_ char *mount =
        m->target ? str_printf(",{\"source\":\"@DATA@\",\"target\":\"%s\"}", m->target)
                  : strdup("");
    _cleanup_free_ char *text =
        str_printf("{\"id\":\"@ID@\",\"argv\":[\"/probe/probe\",\"@ID@\"],\"image\":\"%s\","
                   "\"policy\":\"@POLICIES@/train.json\",\"mounts\":[{\"source\":\"@PROBE@\","
                   "\"target\":\"/probe\",\"exec\":true}%s]}",
                   dir, mount);
    int result = run_document(r, m->name, "mount-namespace", m->expected, text, err);
    tree_remove(dir, NULL);
    return result;
}

int specs_run(struct runner *r, struct error *err) {
    if (r->only_through) return 0; /* no layer's matter but the launcher's own */
    if (host_reset(&r->host, err) < 0) return -1;
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
        _cleanup_free_ char *text = write_document(&specs[i]);
        if (!wanted(r, specs[i].name, "launcher")) continue;
        if (run_document(r, specs[i].name, "launcher", specs[i].expected, text, err) < 0) return -1;
    }
    if (run_grown(r, "spec-nested", "[", 100000, err) < 0 ||
        run_grown(r, "spec-nested-objects", "{\"x\":", 50000, err) < 0 ||
        run_grown(r, "spec-5-mib", "0123456789abcdef", 330000, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(images); i++)
        if (wanted(r, images[i].name, "mount-namespace") && run_image(r, &images[i], err) < 0)
            return -1;
    return 0;
}
