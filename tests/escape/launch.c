#include "tests/escape/launch.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_MAX = 4 << 20 };
enum { COLLECT_BYTES = 4 << 20, COLLECT_FILES = 1000 };

char *policy_path(const struct host *h, const char *policy) {
    if (policy && strcmp(policy, "open") == 0) return strdup(h->open_policy);
    return str_printf("%s/%s.json", h->policies, policy ? policy : "train");
}

/* ---- the spec ---- */

static int64_t or_usual(int64_t wanted, int64_t usual) {
    return wanted ? wanted : usual;
}

static void put_limits(struct json_writer *w, const struct spec_limits *l) {
    json_open_object(w, "limits");
    json_put_int(w, "wall_ms", or_usual(l->wall_ms, 60000));
    json_put_int(w, "memory_bytes", or_usual(l->memory_bytes, 256 << 20));
    json_put_int(w, "pids", or_usual(l->pids, 64));
    json_put_int(w, "output_bytes", or_usual(l->output_bytes, 1 << 20));
    json_put_int(w, "disk_bytes", or_usual(l->disk_bytes, 32 << 20));
    json_put_int(w, "disk_inodes", or_usual(l->disk_inodes, 4000));
    json_put_int(w, "tmp_bytes", or_usual(l->tmp_bytes, 32 << 20));
    if (l->cpu_ms) json_put_int(w, "cpu_ms", l->cpu_ms);
    if (l->file_bytes) json_put_int(w, "file_bytes", l->file_bytes);
    if (l->grace_ms) json_put_int(w, "grace_ms", l->grace_ms);
    json_close_object(w);
}

static void put_mount(struct json_writer *w, const char *source, const char *target, bool writable,
                      bool exec) {
    json_open_object(w, NULL);
    json_put_string(w, "source", source);
    json_put_string(w, "target", target);
    json_put_bool(w, "writable", writable);
    json_put_bool(w, "exec", exec);
    json_close_object(w);
}

static void put_collect(struct json_writer *w, const char *path) {
    json_open_array(w, "collect");
    json_open_object(w, NULL);
    json_put_string(w, "path", path);
    json_put_int(w, "bytes", COLLECT_BYTES);
    json_put_int(w, "files", COLLECT_FILES);
    json_close_object(w);
    json_close_array(w);
}

/* The id comes along, so that every process of the run is known by it. */
static void put_argv(struct json_writer *w, const struct order *o, const char *id) {
    json_open_array(w, "argv");
    json_put_string(w, NULL, "/probe/probe");
    json_put_string(w, NULL, id);
    if (o->alone) json_put_string(w, NULL, "--alone");
    for (size_t i = 0; i < o->count; i++) json_put_string(w, NULL, o->names[i]);
    json_close_array(w);
}

static int write_spec(const struct launch *l, const struct host *h, const struct order *o,
                      struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    _cleanup_free_ char *policy = policy_path(h, o->policy);
    _cleanup_strv_ char **facts = host_facts(h);
    json_open_object(w, NULL);
    json_put_string(w, "id", l->id);
    put_argv(w, o, l->id);
    json_put_strv(w, "env", facts);
    json_put_string(w, "policy", policy);
    json_put_string(w, "network", o->loopback ? "loopback" : "none");
    if (o->image) json_put_string(w, "image", o->image);
    if (o->cpus) json_put_string(w, "cpus", o->cpus);
    put_limits(w, &o->limits);
    json_open_array(w, "mounts");
    put_mount(w, h->probe, "/probe", false, true);
    put_mount(w, h->data, "/data", false, false);
    put_mount(w, h->shared, "/shared", true, false);
    json_close_array(w);
    if (o->collect) put_collect(w, o->collect);
    json_close_object(w);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    _cleanup_free_ char *path = path_join(l->dir, "spec.json");
    if (!text) return error_sys(err, ENOMEM, "spec");
    return file_write_atomic(path, text, len, 0644, err);
}

/* ---- the launcher ---- */

static int make_run(struct launch *l, const struct host *h, struct error *err) {
    static int serial;
    *l = (struct launch){.pid = -1};
    snprintf(l->id, sizeof l->id, "escape-%d-%d", (int)getpid(), ++serial);
    l->dir = str_printf("%s/%s", h->work, l->id);
    if (!l->dir || mkdir(l->dir, 0755) < 0) return error_sys(err, errno, "run folder");
    return 0;
}

static int start(struct launch *l, const struct host *h, struct error *err) {
    _cleanup_free_ char *program = path_join(h->bin, "paddock-sandbox");
    _cleanup_free_ char *spec = path_join(l->dir, "spec.json");
    _cleanup_free_ char *errors = path_join(l->dir, "errors");
    l->pid = fork();
    if (l->pid < 0) return error_sys(err, errno, "fork");
    if (l->pid == 0) {
        int fd = open(errors, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd >= 0) dup2(fd, STDERR_FILENO);
        execl(program, program, "run", spec, "--dir", l->dir, (char *)NULL);
        _exit(127);
    }
    return 0;
}

int launch_start(struct launch *l, const struct host *h, const struct order *o, struct error *err) {
    if (make_run(l, h, err) < 0 || write_spec(l, h, o, err) < 0) return -1;
    return start(l, h, err);
}

static void fill_in(struct buf *out, const char *text, const struct launch *l,
                    const struct host *h) {
    const struct {
        const char *key, *value;
    } known[] = {{"@ID@", l->id},       {"@POLICIES@", h->policies}, {"@DATA@", h->data},
                 {"@PROBE@", h->probe}, {"@SHARED@", h->shared},     {"@SECRET@", h->secret},
                 {"@WORK@", h->work}};
    while (*text) {
        size_t i = 0;
        while (i < ARRAY_SIZE(known) && !str_starts(text, known[i].key)) i++;
        if (i < ARRAY_SIZE(known)) {
            buf_puts(out, known[i].value);
            text += strlen(known[i].key);
        } else {
            buf_putc(out, *text++);
        }
    }
}

int launch_start_text(struct launch *l, const struct host *h, const char *text, struct error *err) {
    _cleanup_buf_ struct buf spec = {0};
    if (make_run(l, h, err) < 0) return -1;
    fill_in(&spec, text, l, h);
    _cleanup_free_ char *path = path_join(l->dir, "spec.json");
    if (file_write_atomic(path, buf_text(&spec), spec.len, 0644, err) < 0) return -1;
    return start(l, h, err);
}

static char *read_back(const struct launch *l, const char *name) {
    _cleanup_free_ char *path = path_join(l->dir, name);
    _cleanup_buf_ struct buf text = {0};
    if (file_read(path, OUTPUT_MAX, &text, NULL) < 0 || !text.len) return strdup("");
    return buf_steal(&text);
}

void launch_wait(struct launch *l, int patience_s) {
    if (l->pid > 0) {
        int64_t deadline = clock_mono_ns() + patience_s * NS_PER_SEC;
        while (waitpid(l->pid, &l->status, WNOHANG) == 0) {
            if (clock_mono_ns() > deadline) {
                l->outlasted = true;
                kill(l->pid, SIGKILL);
            }
            usleep(500);
        }
        l->pid = -1;
    }
    _cleanup_free_ char *path = path_join(l->dir, "result.json");
    l->has_result = result_load(path, &l->result, NULL) == 0;
    l->output = read_back(l, "stdout");
    l->errors = read_back(l, "errors");
}

void launch_clear(struct launch *l) {
    result_clear(&l->result);
    if (l->dir) tree_remove(l->dir, NULL);
    free(l->dir);
    free(l->output);
    free(l->errors);
    *l = (struct launch){.pid = -1};
}

/* ---- what was collected ---- */

struct tally {
    long files, blocks;
    char *wrong;
};

static void wrong(struct tally *t, const char *name, const char *what) {
    if (t->wrong) return;
    _cleanup_free_ char *shown = str_printable(name, strlen(name));
    t->wrong = str_printf("changed: %s: %s", shown, what);
}

static bool has_secret(int dir, const char *name) {
    _cleanup_buf_ struct buf text = {0};
    /* Sparse files are not read whole: the secret would be at their start. */
    _cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    char bytes[4096];
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    return n > 0 && memmem(bytes, (size_t)n, HOST_SECRET, strlen(HOST_SECRET));
}

static void look_at_name(struct tally *t, const char *name) {
    for (const unsigned char *p = (const unsigned char *)name; *p;) {
        size_t n = utf8_sequence(p, strlen((const char *)p));
        if (n == 0 || *p < 0x20 || *p == 0x7f) wrong(t, name, "not a plain name");
        p += n ? n : 1;
    }
}

static void look_at_tree(struct tally *t, int dir, int depth) {
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (depth > 100) wrong(t, "artifacts", "too deep");
    for (struct dirent *e; d && depth <= 100 && (e = readdir(d));) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        look_at_name(t, e->d_name);
        if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) continue;
        t->blocks += (long)st.st_blocks;
        if (st.st_mode & 07000) wrong(t, e->d_name, "special mode bits");
        if (st.st_uid != geteuid()) wrong(t, e->d_name, "not ours");
        if (S_ISREG(st.st_mode)) {
            t->files++;
            if (has_secret(dir, e->d_name)) wrong(t, e->d_name, "holds the host's words");
        } else if (S_ISDIR(st.st_mode)) {
            _cleanup_close_ int sub =
                openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            look_at_tree(t, sub, depth + 1);
        } else {
            wrong(t, e->d_name, "neither file nor folder");
        }
    }
}

char *artifacts_look(const struct launch *l) {
    struct tally t = {0};
    _cleanup_free_ char *path = path_join(l->dir, "artifacts");
    _cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir >= 0) look_at_tree(&t, dir, 0);
    if (t.files > COLLECT_FILES) wrong(&t, "artifacts", "too many files");
    if (t.blocks * 512 > 2 * COLLECT_BYTES) wrong(&t, "artifacts", "too many bytes");
    return t.wrong ? t.wrong : strdup("clean");
}
