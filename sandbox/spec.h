/*
 * The spec: everything a launcher needs to know about one run, as a struct and
 * as JSON (docs/reference/spec.md). Decoding is strict; nothing is inherited
 * from the caller's environment that the spec does not name.
 */
#ifndef PADDOCK_SANDBOX_SPEC_H
#define PADDOCK_SANDBOX_SPEC_H

#include "common/error.h"
#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum spec_network {
    NETWORK_NONE,     /* an own network namespace, loopback down */
    NETWORK_LOOPBACK, /* an own network namespace, loopback up */
};

enum spec_stdio {
    STDIO_NULL,    /* /dev/null */
    STDIO_FILE,    /* captured into the run folder, stamped and capped (not for stdin) */
    STDIO_INHERIT, /* the launcher's own descriptor, e.g. a pipe of the examiner */
    STDIO_TEE,     /* captured and capped like a file, and copied to the launcher's own
                      descriptor as it arrives (not for stdin) */
};

struct spec_mount {
    char *source; /* absolute host path; a folder or a regular file */
    char *target; /* absolute path inside */
    bool writable;
    bool exec; /* programs in it may be run; default false */
};

struct spec_collect {
    char *path;    /* relative to the workspace: a file or folder */
    char *as;      /* name below artifacts/; default: the path itself */
    int64_t bytes; /* caps over everything this entry names */
    int64_t files;
    bool required; /* its absence is a finding in the result, not an error */
};

/* How fast one block device may be used; 0: as fast as it can. */
struct spec_io {
    char *path;                    /* absolute: the device that this file or folder lies on; or */
    char *device;                  /* "major:minor"; one of the two */
    int64_t read_bps, write_bps;   /* bytes a second */
    int64_t read_iops, write_iops; /* operations a second */
};

/* 0 means "no limit of this kind" everywhere. */
struct spec_limits {
    int64_t wall_ms;
    int64_t cpu_ms;            /* user + system over the whole tree */
    int64_t memory_bytes;      /* of the whole tree, tmpfs included; swap is always 0 */
    int64_t pids;              /* processes and threads */
    int64_t output_bytes;      /* stdout and stderr together */
    int64_t disk_bytes;        /* workspace */
    int64_t disk_inodes;       /* workspace */
    int64_t tmp_bytes;         /* /tmp, and /dev/shm, each */
    int64_t open_files;        /* RLIMIT_NOFILE */
    int64_t file_bytes;        /* RLIMIT_FSIZE */
    int64_t grace_ms;          /* SIGTERM to SIGKILL at the wall limit; 0: SIGKILL at once */
    int64_t cpu_percent;       /* of one cpu's time, so up to 100 times the number of cpus */
    int64_t memory_high_bytes; /* beyond it the tree is slowed down and reclaimed from */
    struct spec_io *io;        /* owned by the spec; copies of the struct borrow it */
    size_t io_count;
    bool cpus_exclusive; /* nobody outside runs on the spec's `cpus` */
};

/* From what to what the official time goes (docs/reference/spec.md). */
enum spec_clock_kind {
    CLOCK_PROCESS, /* from the release of the exec to the end of the program */
    CLOCK_GATED,   /* from GO, when the program gets its data, to its DONE */
    CLOCK_LINES,   /* from one line of its output to another */
};

enum { SPEC_GATE_DATA = 16, SPEC_CONTROL_FD = 4 };

/* A program that gets ready on nothing of the task's own, within this budget, and
 * only then is given its data (gate.h). */
struct spec_gate {
    int64_t init_wall_ms;    /* from the release to READY */
    int64_t init_cpu_ms;     /* … and of the whole tree, to GO; 0: as much as the wall allows */
    struct spec_mount *data; /* folders, read-only, moved in at GO; at most SPEC_GATE_DATA */
    size_t data_count;
};

/* Lines of a program that cannot speak the gate's protocol (lines.h): POSIX
 * extended regular expressions, looked for in stdout and stderr. */
struct spec_lines {
    char *start, *stop;
    int64_t outside_ms; /* so much time outside of the two is free; the rest counts */
};

struct spec_clock {
    enum spec_clock_kind kind;
    struct spec_gate gate;   /* of CLOCK_GATED */
    struct spec_lines lines; /* of CLOCK_LINES */
};

/* GPUs to be lent (docs/reference/spec.md); all zero: none. */
struct spec_gpus {
    bool all;
    int64_t count; /* the first so many that are free */
    char **names;  /* indexes, UUIDs, MIG instances; see gpu_loan.h */
};
enum { SPEC_GPUS = 64 };

enum spec_lane {
    LANE_YIELD, /* goes out of the way of timed runs */
    LANE_TIMED, /* wants its cpus for itself while the clock runs */
};

struct spec {
    char *id; /* str_is_name(); unique among live sandboxes */
    char **argv;
    char **env; /* "KEY=VALUE", exact */
    char *cwd;
    char *hostname;

    char *image;  /* "host", or the absolute path of an unpacked root filesystem */
    char *policy; /* absolute path of a policy file */
    bool learn;   /* do not enforce it: record every call in calls.json (learn.h) */
    enum spec_network network;
    int64_t listen; /* a TCP port of its loopback that the launcher's caller answers (port.h);
                       0: none */

    struct spec_gpus gpus;

    char *workspace_source; /* absolute host folder, copied in; NULL: empty */
    char *workspace_target; /* default /work */
    struct spec_mount *mounts;
    size_t mount_count;

    struct spec_limits limits;
    char *cpus; /* cpu list such as "0-1"; NULL: all */
    enum spec_lane lane;
    struct spec_clock clock;
    bool gauge; /* look at the machine before and after: gauge.h, and the dearer witnesses */
    enum spec_stdio stdin_mode, stdout_mode, stderr_mode;

    struct spec_collect *collect;
    size_t collect_count;

    char **require;      /* names of fence layers and limits that must be enforced in
                            full; otherwise the run ends as setup-error */
    char *dir;           /* absolute run folder */
    bool labels_kept;    /* whether `labels` below was given */
    struct json *labels; /* any object; copied to the result untouched; owned */
};

/* The member "clock" of a spec or of a task's phase, the latter without data. `out`
 * zero before, spec_clock_clear() after. */
int spec_clock_decode(const struct json *v, struct spec_clock *out, struct error *err);
void spec_clock_encode(const struct spec_clock *clock, struct json_writer *w);
void spec_clock_clear(struct spec_clock *clock);

/* The member "gpus"; checks `env` with it, whose names must not be the loan's own. */
int spec_gpus_decode(const struct json *v, char *const *env, struct spec_gpus *out,
                     struct error *err);
void spec_gpus_encode(const struct spec_gpus *gpus, struct json_writer *w);
static inline bool spec_gpus_wanted(const struct spec_gpus *gpus) {
    return gpus->all || gpus->count || gpus->names;
}

/* Decodes and validates a whole document. `out` is to be zero before and must
 * be given to spec_clear() after, on success or failure. */
int spec_decode(const struct json *doc, struct spec *out, struct error *err);
/* Reads a file, or stdin for "-". */
int spec_load(const char *path, struct spec *out, struct error *err);
/* Writes the spec as one JSON object (pretty) that spec_decode() accepts. */
int spec_encode(const struct spec *spec, struct json_writer *w, struct error *err);
void spec_clear(struct spec *spec);
#define _cleanup_spec_ __attribute__((cleanup(spec_clear)))

#endif
