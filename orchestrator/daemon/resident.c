#include "orchestrator/daemon/resident.h"

#include "common/cleanup.h"
#include "orchestrator/paths/paths.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

pid_t resident_start(const char *socket, struct error *err) {
    _cleanup_free_ char *path = paths_resident(socket, err);
    _cleanup_free_ char *program = path ? paths_program("paddock-sandbox", err) : NULL;
    if (!program) return -1;
    char *argv[] = {program, "serve", path, "--with-parent", NULL};
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid = -1;
    sigemptyset(&none);
    if (posix_spawnattr_init(&attributes) != 0) return error_sys(err, ENOMEM, "%s", program);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    int failed = posix_spawn(&pid, program, NULL, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    return failed ? error_sys(err, failed, "%s", program) : pid;
}

void resident_stop(pid_t pid) {
    if (pid <= 0 || kill(pid, SIGTERM) < 0) return;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}
