/*
 * The program inside the fence: makes the attempts named by its arguments, each
 * in a process of its own, and prints "name<TAB>answer" for each, after a line
 * that says it begins (ATTEMPT_BEGINS). The answer is the name of an errno or
 * signal, or a word (attempt.h). With --alone it makes one attempt itself, with
 * nobody else around.
 */
#include "tests/escape/attempt.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_S = 20 };

static const char *answer_word(int answer) {
    switch (answer) {
    case THROUGH: return "through";
    case HIDDEN: return "hidden";
    case UNTRIED: return "untried";
    case CONTAINED: return "contained";
    default: break;
    }
    const char *name = answer > 0 ? strerrorname_np(answer) : NULL;
    return name ? name : "?";
}

static void say(const char *name, const char *answer) {
    /* In one write: an attempt that is ended later has spoken. */
    char line[256];
    int n = snprintf(line, sizeof line, "%s\t%s\n", name, answer);
    if (n > 0 && write(STDOUT_FILENO, line, (size_t)n) < 0) _exit(1);
}

static void announce(const char *name) {
    printf(ATTEMPT_BEGINS "%s\n", name);
    fflush(stdout);
}

static void run_one(const struct attempt *a) {
    announce(a->name);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(PATIENCE_S);
        say(a->name, answer_word(a->probe()));
        _exit(0);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        say(a->name, "no-fork");
        return;
    }
    if (!WIFSIGNALED(status)) return;
    char word[32];
    const char *name = sigabbrev_np(WTERMSIG(status));
    snprintf(word, sizeof word, "SIG%s", name ? name : "?");
    say(a->name, word);
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    /* As a setuid program: did the bit count? */
    if (argc > 1 && strcmp(argv[1], "--ids") == 0) return geteuid() == getuid() ? 0 : 200;
    bool alone = argc > 2 && strcmp(argv[2], "--alone") == 0; /* argv[1] is the id of the run */
    for (int i = alone ? 3 : 2; i < argc; i++) {
        const struct attempt *a = attempt_find(argv[i]);
        if (!a) {
            say(argv[i], "no-such-attempt");
        } else if (alone) {
            say(a->name, answer_word(a->probe()));
        } else {
            run_one(a);
        }
    }
    return 0;
}
