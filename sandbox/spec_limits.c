/* The limits of a spec as JSON (declared in spec_internal.h). */
#include "sandbox/spec_internal.h"

#include <stdlib.h>
#include <string.h>

/* "254:0", as /sys/dev/block and the kernel's control files write it. */
static bool is_device(const char *text) {
    size_t major = strspn(text, "0123456789");
    if (major == 0 || major > 9 || text[major] != ':') return false;
    size_t minor = strspn(text + major + 1, "0123456789");
    return minor > 0 && minor <= 9 && text[major + 1 + minor] == '\0';
}

static int decode_io(const struct json *v, struct spec_io *io, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    json_get_string(&r, "path", JSON_OPTIONAL, &io->path);
    json_get_string(&r, "device", JSON_OPTIONAL, &io->device);
    json_get_int(&r, "read_bps", JSON_OPTIONAL, 0, INT64_MAX / 4, &io->read_bps);
    json_get_int(&r, "write_bps", JSON_OPTIONAL, 0, INT64_MAX / 4, &io->write_bps);
    json_get_int(&r, "read_iops", JSON_OPTIONAL, 0, UINT32_MAX - 1, &io->read_iops);
    json_get_int(&r, "write_iops", JSON_OPTIONAL, 0, UINT32_MAX - 1, &io->write_iops);
    if (!io->path == !io->device)
        json_reader_fail(&r, v, "must have one of \"path\" and \"device\"");
    if (io->path && !spec_is_clean_path(io->path))
        json_reader_fail(&r, json_find(v, "path"),
                         "must be an absolute path without \".\", \"..\" or empty parts");
    if (io->device && !is_device(io->device))
        json_reader_fail(&r, json_find(v, "device"), "must be \"major:minor\"");
    return json_object_end(&r);
}

static int decode_list(const struct json *v, struct spec_limits *out, struct error *err) {
    out->io = spec_make_list(v, sizeof *out->io, err);
    if (!out->io) return -1;
    for (size_t i = 0; i < json_count(v); i++)
        if (decode_io(json_at(v, i), &out->io[out->io_count++], err) < 0) return -1;
    return 0;
}

int spec_limits_decode(const struct json *v, struct spec_limits *l, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    /* Milliseconds up to 10^12 (31 years) stay far from overflow in ns. */
    const int64_t ms = INT64_C(1000000000000);
    json_get_int(&r, "wall_ms", JSON_OPTIONAL, 0, ms / 1000, &l->wall_ms);
    json_get_int(&r, "cpu_ms", JSON_OPTIONAL, 0, ms / 1000, &l->cpu_ms);
    json_get_int(&r, "memory_bytes", JSON_OPTIONAL, 0, INT64_MAX / 4, &l->memory_bytes);
    json_get_int(&r, "pids", JSON_OPTIONAL, 0, 4194304, &l->pids);
    json_get_int(&r, "output_bytes", JSON_OPTIONAL, 0, INT64_MAX / 4, &l->output_bytes);
    json_get_int(&r, "disk_bytes", JSON_OPTIONAL, 0, INT64_MAX / 4, &l->disk_bytes);
    json_get_int(&r, "disk_inodes", JSON_OPTIONAL, 0, INT64_MAX / 4, &l->disk_inodes);
    json_get_int(&r, "tmp_bytes", JSON_OPTIONAL, 0, INT64_MAX / 4, &l->tmp_bytes);
    json_get_int(&r, "open_files", JSON_OPTIONAL, 0, 1048576, &l->open_files);
    json_get_int(&r, "file_bytes", JSON_OPTIONAL, 0, INT64_MAX / 4, &l->file_bytes);
    json_get_int(&r, "grace_ms", JSON_OPTIONAL, 0, ms / 1000, &l->grace_ms);
    /* The kernel wants at least 1 ms in 100 ms: one percent is the least. */
    json_get_int(&r, "cpu_percent", JSON_OPTIONAL, 0, 1000000, &l->cpu_percent);
    json_get_int(&r, "memory_high_bytes", JSON_OPTIONAL, 0, INT64_MAX / 4, &l->memory_high_bytes);
    const struct json *io = json_get_array(&r, "io", JSON_OPTIONAL);
    json_get_bool(&r, "cpus_exclusive", JSON_OPTIONAL, &l->cpus_exclusive);
    if (json_object_end(&r) < 0 || (io && decode_list(io, l, err) < 0)) return -1;
    if (l->open_files && l->open_files < 8)
        return json_error(json_find(v, "open_files"), err, "must be at least 8");
    return 0;
}

static void encode_io(const struct spec_io *io, struct json_writer *w) {
    json_open_object(w, NULL);
    if (io->path) json_put_string(w, "path", io->path);
    if (io->device) json_put_string(w, "device", io->device);
    json_put_int(w, "read_bps", io->read_bps);
    json_put_int(w, "write_bps", io->write_bps);
    json_put_int(w, "read_iops", io->read_iops);
    json_put_int(w, "write_iops", io->write_iops);
    json_close_object(w);
}

void spec_limits_encode(const struct spec_limits *l, struct json_writer *w) {
    json_open_object(w, "limits");
    json_put_int(w, "wall_ms", l->wall_ms);
    json_put_int(w, "cpu_ms", l->cpu_ms);
    json_put_int(w, "memory_bytes", l->memory_bytes);
    json_put_int(w, "pids", l->pids);
    json_put_int(w, "output_bytes", l->output_bytes);
    json_put_int(w, "disk_bytes", l->disk_bytes);
    json_put_int(w, "disk_inodes", l->disk_inodes);
    json_put_int(w, "tmp_bytes", l->tmp_bytes);
    json_put_int(w, "open_files", l->open_files);
    json_put_int(w, "file_bytes", l->file_bytes);
    json_put_int(w, "grace_ms", l->grace_ms);
    json_put_int(w, "cpu_percent", l->cpu_percent);
    json_put_int(w, "memory_high_bytes", l->memory_high_bytes);
    if (l->io_count) {
        json_open_array(w, "io");
        for (size_t i = 0; i < l->io_count; i++) encode_io(&l->io[i], w);
        json_close_array(w);
    }
    json_put_bool(w, "cpus_exclusive", l->cpus_exclusive);
    json_close_object(w);
}

void spec_limits_clear(struct spec_limits *l) {
    for (size_t i = 0; i < l->io_count; i++) {
        free(l->io[i].path);
        free(l->io[i].device);
    }
    free(l->io);
    *l = (struct spec_limits){0};
}
