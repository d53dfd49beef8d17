#include <sys/wait.h>
#include <unistd.h>

static void cheat(const char *phase) {
    if (strcmp(phase, "train")) return;
    for (int i = 0; i < 3; i++)
        if (fork() == 0) _exit(system("ls /data >/dev/null") != 0);
    while (wait(NULL) > 0) {
    }
}
