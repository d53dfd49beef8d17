/*
 * Used only in the build: compiles policies to a C table of their filters, so
 * that starting a sandbox costs no libseccomp work.
 *
 *     paddock-policy-prebuild OUT.c POLICY.json…
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "policies/policy_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* This program is what fills the table: its own is empty. */
const struct policy_prebuilt policy_prebuilt_table[] = {{0}};
const size_t policy_prebuilt_count = 0;

struct tables {
    struct buf insns, entries;
    size_t count;
};

static void tables_clear(struct tables *t) {
    buf_free(&t->insns);
    buf_free(&t->entries);
}

/* A C string: of a path, so that anything but plain characters is refused. */
static int add_text(struct buf *out, const char *text, struct error *err) {
    for (const char *c = text; *c; c++)
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\' || *c == '?')
            return error_set(err, ERROR_INVALID, "device \"%s\": not a plain path", text);
    buf_printf(out, "\"%s\", ", text);
    return 0;
}

static int add(struct tables *t, const char *path, struct error *err) {
    _cleanup_policy_ struct policy p = {0};
    _cleanup_(policy_filter_clear) struct policy_filter f = {0};
    if (policy_load(path, &p, err) < 0) return -1;
    if (policy_compile(&p, &f, err) < 0) return error_wrap(err, "%s", path);
    buf_printf(&t->insns, "\n/* %s */\nstatic const struct sock_filter insns_%zu[] = {\n", p.name,
               t->count);
    for (size_t i = 0; i < f.count; i++)
        buf_printf(&t->insns, "    {0x%x, %u, %u, 0x%x},\n", (unsigned)f.insns[i].code,
                   (unsigned)f.insns[i].jt, (unsigned)f.insns[i].jf, (unsigned)f.insns[i].k);
    buf_puts(&t->insns, "};\n");
    buf_printf(&t->insns, "static const char *const devices_%zu[] = {", t->count);
    for (size_t i = 0; p.devices && p.devices[i]; i++)
        if (add_text(&t->insns, p.devices[i], err) < 0) return -1;
    buf_puts(&t->insns, "NULL};\n");
    buf_printf(&t->entries,
               "    {\"%s\",\n     \"%s\",\n     insns_%zu, %u, \"%s\", %s, %d, %d, %d, %d, %d, "
               "%d, %d, %d, %" PRId64 ", %" PRId64 ", devices_%zu},\n",
               p.sha256, f.sha256, t->count, (unsigned)f.count, p.name,
               p.default_action == POLICY_KILL ? "POLICY_KILL" : "POLICY_ERRNO", p.default_errno,
               p.loopback, p.listen, p.devpts, p.exec_workspace, p.exec_tmp, p.proc_machine, p.gpus,
               p.memlock_bytes, p.gpu_shm_bytes, t->count);
    t->count++;
    return 0;
}

static int write_tables(struct tables *t, const char *path, struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    buf_puts(&text, "/* Made by paddock-policy-prebuild. */\n"
                    "#include \"policies/policy_internal.h\"\n");
    buf_puts(&text, buf_text(&t->insns));
    /* One entry more than counted, since an array cannot be empty. */
    buf_printf(&text,
               "\nconst struct policy_prebuilt policy_prebuilt_table[] = {\n%s    {0},\n};\n",
               buf_text(&t->entries));
    buf_printf(&text, "const size_t policy_prebuilt_count = %zu;\n", t->count);
    if (buf_failed(&text) || buf_failed(&t->insns) || buf_failed(&t->entries))
        return error_sys(err, ENOMEM, "%s", path);
    return file_write_atomic(path, text.data, text.len, 0644, err);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: paddock-policy-prebuild OUT.c POLICY.json...\n");
        return 2;
    }
    _cleanup_error_ struct error err = {0};
    _cleanup_(tables_clear) struct tables t = {0};
    int rc = 0;
    for (int i = 2; rc == 0 && i < argc; i++) rc = add(&t, argv[i], &err);
    if (rc == 0) rc = write_tables(&t, argv[1], &err);
    if (rc < 0) fprintf(stderr, "paddock-policy-prebuild: %s\n", error_text(&err));
    return rc < 0 ? 1 : 0;
}
