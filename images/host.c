#include "common/cleanup.h"
#include "images/store_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* The digest of a file as text, or "absent": machines without dpkg exist. */
static int identity_of(const char *path, struct buf *out, struct error *err) {
    char hex[DIGEST_HEX] = "absent";
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT) return error_sys(err, errno, "%s", path);
    if (fd >= 0 && digest_fd(fd, hex, err) < 0) return error_wrap(err, "%s", path);
    buf_printf(out, "%s %s\n", path, hex);
    return 0;
}

/* Reading all of /usr would take seconds. What is installed, at which version,
 * and which libraries the loader finds stand for it; the kernel does not count. */
int store_host_image(struct image *out, struct error *err) {
    static const char *const identity[] = {
        "/usr/lib/os-release",
        "/var/lib/dpkg/status",
        "/etc/ld.so.cache",
    };
    _cleanup_buf_ struct buf text = {0};
    for (size_t i = 0; i < ARRAY_SIZE(identity); i++)
        if (identity_of(identity[i], &text, err) < 0) return error_wrap(err, "image host");
    out->name = strdup(STORE_HOST);
    out->location = strdup(STORE_HOST);
    if (!out->name || !out->location || buf_failed(&text))
        return error_sys(err, ENOMEM, "image host");
    digest_hex_of(text.data, text.len, out->digest);
    return 0;
}
