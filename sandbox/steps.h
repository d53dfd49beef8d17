/*
 * Where the time of a launch goes: stamps that launcher, init and payload leave
 * in the shared page, for `./dev bench launch --steps`. A stamp costs a read of
 * the vdso clock, so they are always taken; they are written out only on
 * request (`paddock-sandbox run --steps FILE`).
 *
 * CLOCK_REALTIME, since the payload's monotonic clock begins at 0 (its time
 * namespace): for a profile only, never for a result.
 */
#ifndef PADDOCK_SANDBOX_STEPS_H
#define PADDOCK_SANDBOX_STEPS_H

#include <stdint.h>

enum step_actor { STEP_LAUNCHER, STEP_INIT, STEP_PAYLOAD, STEP_ACTORS };

#define STEP_NAMES(X)                           \
    X(MAIN, "main")                             \
    X(CLONED, "cloned init")                    \
    X(SPEC, "spec read")                        \
    X(POLICY, "policy found")                   \
    X(REGISTERED, "registered")                 \
    X(PLANNED, "mounts planned, sources open")  \
    X(GROUPS, "control groups made")            \
    X(MAPPED, "id maps written")                \
    X(TOLD, "init told")                        \
    X(FILES, "run folder's files open")         \
    X(INIT_READY, "init is ready")              \
    X(PAYLOAD_READY, "payload is ready")        \
    X(REPORTED, "layers and limits reported")   \
    X(RELEASED, "program released")             \
    X(EXEC_SEEN, "exec seen")                   \
    X(ENDED, "program's end seen")              \
    X(GONE, "init gone")                        \
    X(EMPTY, "groups empty")                    \
    X(COLLECTED, "files collected")             \
    X(DELIVERED, "result written")              \
    X(REMOVED, "groups removed")                \
    X(UNREGISTERED, "registry left")            \
    X(BEGIN, "running")                         \
    X(NETWORK, "network namespace")             \
    X(ENTERED, "groups and namespaces entered") \
    X(FORKED, "payload forked")                 \
    X(BUILT, "root built")                      \
    X(PIVOTED, "root entered")                  \
    X(ALONE, "old root gone")                   \
    X(SHRUNK, "privilege given up")             \
    X(REAPED, "program reaped")                 \
    X(DRESSED, "ids, limits, capabilities")     \
    X(ROOTED, "in the new root")                \
    X(LANDLOCKED, "landlock")                   \
    X(FILTERED, "filter installed")             \
    X(EXEC, "about to exec")

enum step {
#define STEP_ENUM(name, text) STEP_##name,
    STEP_NAMES(STEP_ENUM)
#undef STEP_ENUM
        STEP_COUNT
};

struct steps { /* in shared memory; 0: not reached */
    int64_t at[STEP_ACTORS][STEP_COUNT];
};

/* `s` may be NULL. */
void step_mark(struct steps *s, enum step_actor who, enum step what);
/* One line a stamp, "<actor> <ns since the first> <text>", in order of time. */
int steps_print(const struct steps *s, int fd);

#endif
