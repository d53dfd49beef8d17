#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static int found; /* things that nobody may see */

static void look(const char *dir, int depth) {
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[4096];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (e->d_name[0] == '.' || lstat(path, &st)) continue;
        if (strstr(e->d_name, "held-out") || strstr(e->d_name, ".tar.zst") ||
            strcmp(e->d_name, "paddock.db") == 0 || strstr(e->d_name, "paddockd"))
            found += access(path, R_OK) == 0;
        if (S_ISDIR(st.st_mode) && depth < 3) look(path, depth + 1);
    }
    if (d) closedir(d);
}

static void cheat(const char *phase) {
    static const char *const places[] = {"/",    "/var/lib/paddock", "/root",       "/home",
                                         "/run", "/proc/1/root",     "/proc/1/cwd", "/data/.."};
    static const char *const files[] = {"/proc/1/environ", "/proc/1/mem", "/proc/1/maps",
                                        "/proc/kcore"};
    if (strcmp(phase, "train")) return;
    for (int i = 1; i < 8; i++) look(places[i], 0);
    for (int i = 0; i < 4; i++) {
        FILE *f = fopen(files[i], "r");
        if (f) found += fgetc(f) != EOF, fclose(f);
    }
    if (!found) return;
    fprintf(stderr, "found %d things\n", found);
    _exit(77);
}
