/*
 * paddock: the front door. `exec` is served here, by a small static program
 * that starts in a millisecond; every other verb is handed to paddock-cli, so
 * that nobody pays for an HTTP library to run one command.
 */
#include "common/cleanup.h"
#include "common/error.h"
#include "common/log.h"
#include "orchestrator/exec/exec.h"
#include "orchestrator/paths/paths.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    log_init("paddock", LOG_LEVEL_WARN);
    if (argc > 1 && strcmp(argv[1], "exec") == 0) return exec_main(argv + 2);
    if (argc > 1 && strcmp(argv[1], "--version") == 0) return puts("paddock " PADDOCK_VERSION), 0;
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *program = paths_program("paddock-cli", &err);
    if (program) {
        execv(program, argv);
        error_sys(&err, errno, "%s", program);
    }
    fprintf(stderr, "paddock: %s\n", error_text(&err));
    return 125;
}
