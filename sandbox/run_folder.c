#include "sandbox/run_folder.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Replaces a file whole. Not synced: kill -9 of any process cannot lose it, and
 * whoever acknowledges a result makes it durable first; a sync here would cost
 * more than the launch itself. */
static int replace_file(int dir_fd, const char *name, const char *text, size_t len,
                        struct error *err) {
    _cleanup_free_ char *temporary = str_printf(".%s.%d", name, (int)getpid());
    if (!temporary) return error_sys(err, ENOMEM, "%s", name);
    unlinkat(dir_fd, temporary, 0);
    _cleanup_close_ int fd =
        openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) return error_sys(err, errno, "create %s", temporary);
    if (write_all(fd, text, len) < 0 || renameat(dir_fd, temporary, dir_fd, name) < 0) {
        error_sys(err, errno, "write %s", name);
        unlinkat(dir_fd, temporary, 0);
        return -1;
    }
    return 0;
}

/* Field 22 of /proc/self/stat: with the pid it names this process for ever. */
static int64_t start_ticks(void) {
    _cleanup_buf_ struct buf text = {0};
    if (file_read("/proc/self/stat", 4096, &text, NULL) < 0) return 0;
    const char *p = strrchr(buf_text(&text), ')');
    for (int field = 2; p && field < 22; field++) p = strchr(p + 1, ' ');
    return p ? strtoll(p + 1, NULL, 10) : 0;
}

int run_folder_claim(int dir_fd, struct error *err) {
    char text[96];
    int n = snprintf(text, sizeof text, "{\"pid\": %d, \"start_ticks\": %" PRId64 "}\n",
                     (int)getpid(), start_ticks());
    /* A result of an earlier run here would be taken for ours. Its launcher.json
     * says nothing any more, and to rename over a file makes ext4 write out the
     * new one at once. */
    static const char *const old[] = {"result.json", "launcher.json"};
    for (size_t i = 0; i < ARRAY_SIZE(old); i++)
        if (unlinkat(dir_fd, old[i], 0) < 0 && errno != ENOENT)
            return error_sys(err, errno, "run folder: remove the old %s", old[i]);
    return replace_file(dir_fd, "launcher.json", text, (size_t)n, err);
}

int run_folder_deliver(const struct result *r, int dir_fd, bool print, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "result");
    if (result_encode(r, w, err) < 0) return -1;
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    if (!text) return error_set(err, ERROR_INTERNAL, "result: could not be written as JSON");
    if (dir_fd >= 0 && replace_file(dir_fd, "result.json", text, len, err) < 0) return -1;
    if (print && write_all(STDOUT_FILENO, text, len) < 0)
        return error_sys(err, errno, "print the result");
    return 0;
}
