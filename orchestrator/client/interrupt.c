#include "orchestrator/client/interrupt.h"

#include <signal.h>
#include <stddef.h>

/* A handler can reach nothing but a global. */
static volatile bool interrupted;

static void on_signal(int signum) {
    (void)signum;
    interrupted = true;
}

void interrupt_watch(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

const volatile bool *interrupt_flag(void) {
    return &interrupted;
}
