/* Real programs under the filters: what each policy is for must run in it. */
#include "common/cleanup.h"
#include "common/file.h"
#include "tests/unit/test_policy_run.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static const char omp_source[] =
    "#include <pthread.h>\n#include <sched.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
    "static void *twice(void *p) { *(int *)p *= 2; return p; }\n"
    "int main(void) {\n"
    "    long sum = 0; int x = 21; pthread_t t;\n"
    "    #pragma omp parallel for reduction(+:sum)\n"
    "    for (int i = 0; i < 1000; i++) sum += i;\n"
    "    cpu_set_t set; sched_getaffinity(0, sizeof set, &set);\n"
    "    if (pthread_create(&t, 0, twice, &x) || pthread_join(t, 0)) return 1;\n"
    "    if (pthread_setaffinity_np(pthread_self(), sizeof set, &set)) return 2;\n"
    "    FILE *f = fopen(\"out.bin\", \"wb\");\n"
    "    if (!f || fwrite(&sum, sizeof sum, 1, f) != 1 || fclose(f)) return 3;\n"
    "    return sum == 499500 && x == 42 && system(\"exit 0\") == 0 ? 0 : 4;\n"
    "}\n";

static const char makefile[] = "all: t\n%.o: %.c\n\t$(CC) -O1 -fopenmp -D_GNU_SOURCE -c $< -o $@\n"
                               "t: t.o\n\t$(CC) -fopenmp -pthread $^ -o $@ && chmod 755 $@\n";

static const char workers[] =
    "import ctypes, mmap, multiprocessing as mp, os, random, socket, subprocess, tempfile\n"
    "import threading, time\n"
    "def work(n, q): q.put(n * n)\n"
    "def echo(s):\n"
    "    c, _ = s.accept(); c.sendall(c.recv(100)); c.close()\n"
    "if __name__ == '__main__':\n"
    "    for how in ('fork', 'spawn'):\n"
    "        ctx = mp.get_context(how); q = ctx.Queue()\n"
    "        ps = [ctx.Process(target=work, args=(i, q)) for i in range(2)]\n"
    "        [p.start() for p in ps]; got = sorted(q.get(timeout=60) for p in ps)\n"
    "        [p.join() for p in ps]; assert got == [0, 1], got\n"
    "    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
    "    s.bind(('127.0.0.1', 0)); s.listen()\n"
    "    t = threading.Thread(target=echo, args=(s,)); t.start()\n"
    "    c = socket.create_connection(s.getsockname())\n"
    "    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n"
    "    c.sendall(b'x'); assert c.recv(10) == b'x'; t.join()\n"
    "    assert socket.getaddrinfo('127.0.0.1', 80) and socket.if_nameindex()\n"
    "    a, b = socket.socketpair(); a.send(b'y'); assert b.recv(1) == b'y'\n"
    "    assert subprocess.check_output(['sh', '-c', 'echo ok']) == b'ok\\n'\n"
    "    m = mmap.mmap(-1, 4096); m[0] = 1; os.sched_setaffinity(0, os.sched_getaffinity(0))\n"
    "    fd = os.memfd_create('m'); os.ftruncate(fd, 4096)\n"
    "    with tempfile.TemporaryDirectory() as d:\n"
    "        p = os.path.join(d, 'a'); open(p, 'w').write('z'); os.rename(p, p + 'b')\n"
    "        os.symlink('ab', p); os.chmod(p, 0o600); os.utime(p); os.fsync(os.open(p, 0))\n";

/* `needs` is a program that must be there. Commands run in a fresh folder with
 * the files above as t.c, Makefile and workers.py, in this order. */
static const struct {
    const char *policy, *needs, *command;
} programs[] = {
    {"strict", "awk", "printf 'a b\\n' | awk '{print $2}' | grep -q b && test \"$(pwd)\""},
    {"strict", "sort", "seq 9 | sort -r | tee copy | head -1 | grep -q 9 && mv copy c && rm c"},
    {"strict", "bible", "bible gen1:1 | grep -q beginning"},
    {"build", "make", "make -j2 CC=cc >log 2>&1 || { cat log; exit 1; }"},
    {"train", "make", "./t"},
    {"strict", "make", "./t"},
    {"build", "git", "git -c init.defaultBranch=m init -q r && touch r/f && git -C r add f"},
    {"build", "tar",
     "mkdir d && cp -a t.c d && ln d/t.c d/l && ln -s l d/s && tar cf d.tar d"
     " && rm -r d && tar xf d.tar && test -L d/s"},
    {"build", "cmake",
     "printf 'cmake_minimum_required(VERSION 3.5)\\nproject(t C)\\n"
     "add_executable(u t.c)\\n' >CMakeLists.txt && { cmake -S . -B b &&"
     " CFLAGS=-D_GNU_SOURCE cmake -S . -B b2 && cmake --build b2; } >log 2>&1"
     " || { cat log; exit 1; }"},
    {"train", "python3", "python3 workers.py"},
    {"build", "python3", "python3 -m py_compile workers.py"},
    {"strict", "python3", "python3 -c 'import threading; threading.Thread(target=print).start()'"},
};

static bool have(const char *program) {
    _cleanup_free_ char *command = str_printf("command -v %s >/dev/null 2>&1", program);
    return command && system(command) == 0;
}

static void enter(const char *dir, const struct policy_filter *f, const char *command) {
    if (chdir(dir) < 0 || install(f) < 0) _exit(125);
    execl("/bin/sh", "sh", "-ec", command, (char *)NULL);
    _exit(126);
}

/* Whether the command ends with 0 under the filter. */
static bool runs(const char *policy, const char *dir, const char *command) {
    _cleanup_policy_ struct policy p = {0};
    _cleanup_(policy_filter_clear) struct policy_filter f = {0};
    load_shipped(policy, &p, &f);
    pid_t pid = fork();
    if (pid == 0) enter(dir, &f, command);
    int status = 1;
    waitpid(pid, &status, 0);
    if (status) print_error("under %s: status %#x: %s\n", policy, (unsigned)status, command);
    return status == 0;
}

static void put_file(const char *dir, const char *name, const char *text) {
    _cleanup_free_ char *path = path_join(dir, name);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), 0);
}

static void programs_run_under_their_policy(void **state) {
    (void)state;
    if (!can_install()) {
        print_message("skip - no system-call filter can be installed here\n");
        skip();
    }
    char dir[] = "/tmp/paddock-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    put_file(dir, "t.c", omp_source);
    put_file(dir, "Makefile", makefile);
    put_file(dir, "workers.py", workers);
    int failed = 0;
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
        if (have(programs[i].needs)) failed += !runs(programs[i].policy, dir, programs[i].command);
        else print_message("no %s here\n", programs[i].needs);
    }
    assert_int_equal(tree_remove(dir, NULL), 0);
    assert_int_equal(failed, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_run_under_their_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
