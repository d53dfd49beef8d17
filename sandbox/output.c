#include "sandbox/output.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

enum {
    CHUNK = 65536,
    CHUNKS_AT_ONCE = 8,    /* then others have their turn */
    WAITING_MOST = 262144, /* for a slow reader of our copy */
    STAMPS_FLUSH = 16384,  /* bytes of lines held back */
    STAMPS_MOST = 200000,  /* lines; a byte-wise writer gets no more */
    PIPE_BYTES = 1 << 20,
};

static int open_stream(struct output_stream *s, int dir_fd, const char *name, int copy,
                       int *program_end, struct error *err) {
    if (s->mode != STDIO_FILE && s->mode != STDIO_TEE) return 0;
    if (s->mode == STDIO_FILE && dir_fd < 0)
        return error_set(err, ERROR_INVALID, "%s: to be kept in a file, but no run folder is named",
                         name);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return error_sys(err, errno, "pipe for %s", name);
    s->pipe = ends[0];
    *program_end = ends[1];
    if (fcntl(s->pipe, F_SETFL, O_NONBLOCK) < 0) return error_sys(err, errno, "pipe for %s", name);
    if (s->mode == STDIO_TEE) {
        struct stat st;
        s->copy = copy;
        s->copy_blocks = fstat(copy, &st) == 0 && !S_ISREG(st.st_mode);
    }
    return 0;
}

int output_open(struct output *o, const struct spec *spec, int dir_fd, int program_ends[2],
                struct error *err) {
    const struct output_stream none = {.pipe = -1, .file = -1, .copy = -1};
    *o = (struct output){.streams = {none, none}, .stamps = -1};
    o->limit = spec->limits.output_bytes;
    o->streams[0].mode = spec->stdout_mode;
    o->streams[1].mode = spec->stderr_mode;
    o->streams[0].tag = 'o';
    o->streams[1].tag = 'e';
    program_ends[0] = program_ends[1] = -1;
    if (open_stream(&o->streams[0], dir_fd, "stdout", STDOUT_FILENO, &program_ends[0], err) < 0 ||
        open_stream(&o->streams[1], dir_fd, "stderr", STDERR_FILENO, &program_ends[1], err) < 0)
        return -1;
    if (spec->clock.kind == CLOCK_LINES && !(o->matcher = lines_open(&spec->clock.lines, err)))
        return -1;
    return 0;
}

static int create(int dir_fd, const char *name, int flags, struct error *err) {
    int fd =
        openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC | flags, 0644);
    if (fd < 0) error_sys(err, errno, "create %s", name);
    return fd;
}

int output_create_files(struct output *o, int dir_fd, struct error *err) {
    static const char *const names[] = {"stdout", "stderr"};
    bool any = false;
    for (int i = 0; i < 2 && dir_fd >= 0; i++) {
        struct output_stream *s = &o->streams[i];
        if (s->pipe < 0) continue;
        any = true;
        s->file = create(dir_fd, names[i], O_APPEND, err);
        if (s->file < 0) return -1;
    }
    if (any) o->stamps = create(dir_fd, "stamps", 0, err);
    return any && o->stamps < 0 ? -1 : 0;
}

static void flush_stamps(struct output *o) {
    if (o->stamps >= 0 && o->lines.len && write_all(o->stamps, o->lines.data, o->lines.len) < 0 &&
        !o->error)
        o->error = errno;
    o->lines.len = 0;
}

static void stamp(struct output *o, const struct output_stream *s, size_t len, int64_t now) {
    if (!o->first_ns) o->first_ns = now;
    if (o->stamps < 0 || o->line_count >= STAMPS_MOST) return;
    o->line_count++;
    buf_printf(&o->lines, "%" PRId64 " %c %" PRId64 " %zu\n", now - o->start_ns, s->tag, s->bytes,
               len);
    if (o->lines.len > STAMPS_FLUSH) flush_stamps(o);
}

static void keep(struct output *o, struct output_stream *s, const char *data, size_t len) {
    int64_t left = o->limit - o->streams[0].bytes - o->streams[1].bytes;
    if (o->limit && (int64_t)len > left) {
        len = (size_t)left;
        o->truncated = true;
    }
    if (len == 0) return;
    int64_t now = clock_mono_ns();
    stamp(o, s, len, now);
    if (o->matcher) lines_feed(o->matcher, s == &o->streams[1], data, len, now);
    if (s->file >= 0 && write_all(s->file, data, len) < 0 && !o->error) o->error = errno;
    if (s->copy >= 0) buf_append(&s->waiting, data, len);
    s->bytes += (int64_t)len;
}

bool output_wants_copy(const struct output_stream *s) {
    return s->copy >= 0 && s->waiting.len > s->taken;
}

/* Never blocks for long: a pipe or terminal that is ready takes a small write. */
void output_copy(struct output_stream *s) {
    while (output_wants_copy(s)) {
        struct pollfd p = {.fd = s->copy, .events = POLLOUT};
        if (s->copy_blocks && poll(&p, 1, 0) <= 0) return;
        size_t len = s->waiting.len - s->taken;
        if (s->copy_blocks && len > 4096) len = 4096;
        ssize_t n = write(s->copy, s->waiting.data + s->taken, len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
        if (n < 0) { /* its reader is gone; the run goes on, and is still captured */
            s->copy = -1;
            return;
        }
        s->taken += (size_t)n;
    }
    s->waiting.len = s->taken = 0;
}

/* A larger pipe where allowed, once there is much to carry: fewer wake-ups. */
static void widen(struct output_stream *s) {
    if (!s->wide && fcntl(s->pipe, F_SETPIPE_SZ, PIPE_BYTES) < 0) errno = 0;
    s->wide = true;
}

bool output_pump(struct output *o, struct output_stream *s) {
    static char chunk[CHUNK];
    for (int i = 0; i < CHUNKS_AT_ONCE; i++) {
        if (s->waiting.len - s->taken > WAITING_MOST) return true;
        ssize_t n = read(s->pipe, chunk, sizeof chunk);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
        if (n <= 0) {
            close(s->pipe);
            s->pipe = -1;
            return false;
        }
        if ((size_t)n == sizeof chunk) widen(s);
        keep(o, s, chunk, (size_t)n);
        output_copy(s);
        if (o->truncated || (size_t)n < sizeof chunk) return true;
    }
    return true;
}

/* The rest for a slow reader, who has this long. */
static void drain_copy(struct output_stream *s) {
    for (int i = 0; i < 100 && output_wants_copy(s); i++) {
        struct pollfd p = {.fd = s->copy, .events = POLLOUT};
        poll(&p, 1, 100);
        output_copy(s);
    }
}

void output_finish(struct output *o) {
    for (int i = 0; i < 2; i++) {
        struct output_stream *s = &o->streams[i];
        /* All writers are dead: at most a pipe full is left, then its end. */
        for (int n = 0; s->pipe >= 0 && n < 64 && !o->truncated; n++) {
            drain_copy(s);
            output_pump(o, s);
        }
        drain_copy(s);
    }
    flush_stamps(o);
}

void output_close(struct output *o) {
    for (int i = 0; i < 2; i++) {
        struct output_stream *s = &o->streams[i];
        if (s->pipe >= 0) close(s->pipe);
        if (s->file >= 0) close(s->file);
        s->pipe = s->file = -1;
        buf_free(&s->waiting);
    }
    if (o->stamps >= 0) close(o->stamps);
    o->stamps = -1;
    buf_free(&o->lines);
    lines_close(o->matcher);
    o->matcher = NULL;
}
