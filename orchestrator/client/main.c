/* paddock-cli: every verb of `paddock` but `exec`. */
#include "common/log.h"
#include "orchestrator/client/cli.h"

#include <locale.h>
#include <signal.h>

int main(int argc, char **argv) {
    (void)argc;
    log_init("paddock", LOG_LEVEL_WARN);
    /* We print UTF-8 wherever we are; only widths of characters are asked for. */
    setlocale(LC_CTYPE, "C.UTF-8");
    signal(SIGPIPE, SIG_DFL);
    return cli_main(argv + 1);
}
