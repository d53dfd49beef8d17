#include "orchestrator/model/secret.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SECRET_MAX 4096
#define SHORTEST   4 /* less would blank out words of any text */
#define INSTEAD    "[secret]"

int secret_decode(const struct json *v, struct secret_source *out, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    json_get_string(&r, "env", JSON_OPTIONAL, &out->env);
    json_get_string(&r, "file", JSON_OPTIONAL, &out->file);
    if (!r.failed && !out->env == !out->file)
        json_reader_fail(&r, NULL, "needs \"env\" or \"file\", and not both");
    if (out->env && !*out->env) json_reader_fail(&r, json_find(v, "env"), "must not be empty");
    if (out->file && out->file[0] != '/')
        json_reader_fail(&r, json_find(v, "file"), "must be an absolute path");
    return json_object_end(&r);
}

void secret_source_clear(struct secret_source *s) {
    free(s->env);
    free(s->file);
    *s = (struct secret_source){0};
}

bool secret_is_given(const struct secret_source *s) {
    return s->env || s->file;
}

static int check_file(int fd, const char *path, struct error *err) {
    struct stat st;
    if (fstat(fd, &st) < 0) return error_sys(err, errno, "%s", path);
    if (!S_ISREG(st.st_mode)) return error_set(err, ERROR_INVALID, "%s: is not a file", path);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return error_set(err, ERROR_DENIED, "%s: belongs to another user", path);
    if (st.st_mode & 0077)
        return error_set(err, ERROR_DENIED,
                         "%s: others may read or write it (mode %03o): chmod 600 it", path,
                         (unsigned)(st.st_mode & 0777));
    return 0;
}

static int read_file(const char *path, struct buf *out, struct error *err) {
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return error_sys(err, errno, "%s", path);
    if (check_file(fd, path, err) < 0) return -1;
    if (file_read_fd(fd, SECRET_MAX, out, err) < 0) return error_wrap(err, "%s", path);
    return 0;
}

/* What would break out of a header, or was not meant to be a key. */
static int check_text(const char *text, const char *where, struct error *err) {
    if (!*text) return error_set(err, ERROR_INVALID, "%s is empty", where);
    for (const char *p = text; *p; p++)
        if (*p <= ' ' || *p >= 0x7f)
            return error_set(err, ERROR_INVALID,
                             "%s holds something else than one line of printable ASCII", where);
    return 0;
}

static void forget_buf(struct buf *b) {
    if (b->data) explicit_bzero(b->data, b->cap);
    buf_free(b);
}

char *secret_read(const struct secret_source *s, struct error *err) {
    _cleanup_(forget_buf) struct buf text = {0};
    _cleanup_free_ char *where =
        s->env ? str_printf("environment variable %s", s->env) : strdup(s->file ? s->file : "");
    if (!where) {
        error_sys(err, ENOMEM, "key");
        return NULL;
    }
    if (s->env) {
        const char *value = getenv(s->env);
        if (!value) {
            error_set(err, ERROR_NOT_FOUND, "%s is not set", where);
            return NULL;
        }
        buf_puts(&text, value);
    } else if (!s->file || read_file(s->file, &text, err) < 0) {
        return NULL;
    }
    while (text.len && strchr(" \t\r\n", text.data[text.len - 1])) text.data[--text.len] = '\0';
    if (check_text(buf_text(&text), where, err) < 0) return NULL;
    char *copy = strdup(buf_text(&text));
    if (!copy) error_sys(err, ENOMEM, "key");
    return copy;
}

void secret_forget(char *secret) {
    if (secret) explicit_bzero(secret, strlen(secret));
    free(secret);
}

int secrets_add(struct secrets *s, const char *secret, struct error *err) {
    if (strlen(secret) < SHORTEST) return 0;
    char **list = realloc(s->list, (s->count + 1) * sizeof *list);
    if (!list) return error_sys(err, ENOMEM, "key");
    s->list = list;
    if (!(list[s->count] = strdup(secret))) return error_sys(err, ENOMEM, "key");
    s->count++;
    return 0;
}

void secrets_clear(struct secrets *s) {
    for (size_t i = 0; i < s->count; i++) secret_forget(s->list[i]);
    free(s->list);
    *s = (struct secrets){0};
}

static bool remove_one(const char *secret, char **text) {
    char *at = strstr(*text, secret);
    if (!at) return true;
    struct buf clean = {0};
    const char *from = *text;
    for (; at; at = strstr(from, secret)) {
        buf_append(&clean, from, (size_t)(at - from));
        buf_puts(&clean, INSTEAD);
        from = at + strlen(secret);
    }
    buf_puts(&clean, from);
    free(*text);
    *text = buf_steal(&clean);
    return *text != NULL;
}

bool secrets_remove(const struct secrets *s, char **text) {
    for (size_t i = 0; *text && i < s->count; i++)
        if (!remove_one(s->list[i], text)) return false;
    return true;
}

bool secrets_remove_buf(const struct secrets *s, struct buf *text) {
    if (text->len == 0 || text->failed) return !text->failed;
    char *data = buf_steal(text);
    if (!data || !secrets_remove(s, &data)) return false;
    buf_puts(text, data);
    free(data);
    return !buf_failed(text);
}
