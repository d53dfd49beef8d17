#include "orchestrator/paths/paths.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"

#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SERVICE_STATE  "/var/lib/paddock"
#define SERVICE_SOCKET "/run/paddock/paddockd.sock"
#define SERVICE_CONFIG "/etc/paddock"

static char *checked(char *path, struct error *err) {
    if (!path) error_set(err, ERROR_SYSTEM, "out of memory");
    return path;
}

/* A setting counts only when it is not empty. */
static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

char *paths_absolute(const char *path, struct error *err) {
    if (path[0] == '/') return checked(strdup(path), err);
    char here[PATH_MAX];
    if (!getcwd(here, sizeof here)) {
        error_sys(err, errno, "current folder");
        return NULL;
    }
    return checked(path_join(here, path), err);
}

/* $HOME, else the home of the account. */
static char *home_dir(struct error *err) {
    const char *home = setting("HOME");
    if (home && home[0] == '/') return checked(strdup(home), err);
    /* Read directly: a static program cannot load name-service libraries. */
    _cleanup_fclose_ FILE *passwd = fopen("/etc/passwd", "re");
    for (struct passwd *entry; passwd && (entry = fgetpwent(passwd));)
        if (entry->pw_uid == geteuid()) return checked(strdup(entry->pw_dir), err);
    error_set(err, ERROR_NOT_FOUND, "no home folder: set HOME, or PADDOCK_STATE");
    return NULL;
}

char *paths_state(enum paths_scope scope, struct error *err) {
    const char *set = setting("PADDOCK_STATE");
    if (set) return paths_absolute(set, err);
    if (scope == PATHS_SERVICE) return checked(strdup(SERVICE_STATE), err);
    set = setting("XDG_STATE_HOME");
    if (set && set[0] == '/') return checked(path_join(set, "paddock"), err);
    _cleanup_free_ char *home = home_dir(err);
    return home ? checked(path_join(home, ".local/state/paddock"), err) : NULL;
}

static char *own_config(struct error *err) {
    const char *set = setting("XDG_CONFIG_HOME");
    if (set && set[0] == '/') return checked(path_join(set, "paddock"), err);
    _cleanup_free_ char *home = home_dir(err);
    return home ? checked(path_join(home, ".config/paddock"), err) : NULL;
}

char **paths_config(struct error *err) {
    const char *set = setting("PADDOCK_CONFIG");
    _cleanup_free_ char *own = set ? paths_absolute(set, err) : own_config(err);
    _cleanup_strv_ char **list = NULL;
    if (!own) return NULL;
    if (strv_push(&list, own) < 0 || (!set && strv_push(&list, SERVICE_CONFIG) < 0)) {
        error_sys(err, ENOMEM, "config folder");
        return NULL;
    }
    return steal_ptr(&list);
}

/* A socket's path must fit sun_path. */
static char *socket_path(char *path, struct error *err) {
    struct sockaddr_un address;
    if (checked(path, err) && strlen(path) >= sizeof address.sun_path) {
        error_set(err, ERROR_INVALID, "socket path %s: longer than %zu bytes", path,
                  sizeof address.sun_path - 1);
        free(path);
        return NULL;
    }
    return path;
}

/* Anybody can make a folder in /tmp: behind one that another user made under our
 * name, somebody else would answer. */
static int check_shared_dir(struct error *err) {
    char dir[64];
    struct stat st;
    snprintf(dir, sizeof dir, "/tmp/paddock-%u", (unsigned)geteuid());
    if (lstat(dir, &st) < 0 || (S_ISDIR(st.st_mode) && st.st_uid == geteuid())) return 0;
    return error_set(err, ERROR_DENIED,
                     "%s is not a folder of this user: set PADDOCK_SOCKET or XDG_RUNTIME_DIR", dir);
}

char *paths_socket(enum paths_scope scope, struct error *err) {
    const char *set = setting("PADDOCK_SOCKET");
    if (set) {
        char *path = paths_absolute(set, err);
        return path ? socket_path(path, err) : NULL;
    }
    if (scope == PATHS_SERVICE) return checked(strdup(SERVICE_SOCKET), err);
    set = setting("XDG_RUNTIME_DIR");
    if (set && set[0] == '/') return socket_path(path_join(set, "paddock/paddockd.sock"), err);
    if (check_shared_dir(err) < 0) return NULL;
    return socket_path(str_printf("/tmp/paddock-%u/paddockd.sock", (unsigned)geteuid()), err);
}

char *paths_socket_client(struct error *err) {
    if (!setting("PADDOCK_SOCKET") && access(SERVICE_SOCKET, W_OK) == 0)
        return checked(strdup(SERVICE_SOCKET), err);
    return paths_socket(PATHS_PRIVATE, err);
}

char *paths_resident(const char *socket, struct error *err) {
    return socket_path(str_printf("%s-launch", socket), err);
}

/* The folder of the programs. */
static char *bin_dir(struct error *err) {
    const char *set = setting("PADDOCK_BIN");
    return set ? paths_absolute(set, err) : program_dir(err);
}

char *paths_program(const char *name, struct error *err) {
    _cleanup_free_ char *dir = bin_dir(err);
    if (!dir) return NULL;
    char *path = checked(path_join(dir, name), err);
    if (path && access(path, X_OK) < 0) {
        error_sys(err, errno, "program %s", path);
        free(path);
        return NULL;
    }
    return path;
}

char *paths_shipped(const char *installed, const char *source, const char *name,
                    struct error *err) {
    const char *const places[] = {"../share/paddock/", installed, "../", source};
    _cleanup_free_ char *bin = bin_dir(err);
    for (size_t i = 0; bin && i < ARRAY_SIZE(places); i += 2) {
        _cleanup_free_ char *path = str_printf("%s/%s%s%s%s", bin, places[i], places[i + 1],
                                               name ? "/" : "", name ? name : "");
        if (!path) {
            error_sys(err, ENOMEM, "%s", installed);
            return NULL;
        }
        if (access(path, F_OK) == 0) return steal_ptr(&path);
    }
    if (bin)
        error_set(err, ERROR_NOT_FOUND, "the shipped %s are not beside the programs in %s",
                  installed, bin);
    return NULL;
}
