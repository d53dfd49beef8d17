/* The member "gpus" of a spec. */
#include "common/cleanup.h"
#include "sandbox/spec.h"

#include <string.h>

/* What the launcher sets itself, so that it cannot mean two things. */
static int check_env(const struct json *v, char *const *env, struct error *err) {
    static const char *const ours[] = {
        "CUDA_VISIBLE_DEVICES=", "NVIDIA_VISIBLE_DEVICES=", "CUDA_DEVICE_ORDER="};
    for (size_t i = 0; env && env[i]; i++)
        for (size_t j = 0; j < ARRAY_SIZE(ours); j++)
            if (str_starts(env[i], ours[j]))
                return json_error(v, err, "env sets %.*s, which a run with GPUs is given",
                                  (int)strlen(ours[j]) - 1, ours[j]);
    return 0;
}

static int decode_names(const struct json *v, struct spec_gpus *out, struct error *err) {
    size_t count = json_count(v);
    if (count == 0 || count > SPEC_GPUS)
        return json_error(v, err, "must name 1 to %d GPUs", SPEC_GPUS);
    for (size_t i = 0; i < count; i++) {
        const char *name = NULL;
        if (json_as_string(json_at(v, i), &name, err) < 0) return -1;
        if (!*name || strlen(name) > 128)
            return json_error(json_at(v, i), err, "must be an index, a UUID or a MIG instance");
        for (size_t j = 0; j < i; j++)
            if (strcmp(out->names[j], name) == 0)
                return json_error(json_at(v, i), err, "\"%s\" is named twice", name);
        if (strv_push(&out->names, name) < 0) return error_sys(err, ENOMEM, "spec");
    }
    return 0;
}

int spec_gpus_decode(const struct json *v, char *const *env, struct spec_gpus *out,
                     struct error *err) {
    const char *word = NULL;
    int r;
    switch (json_type(v)) {
    case JSON_ARRAY: r = decode_names(v, out, err); break;
    case JSON_NUMBER: r = json_as_int(v, 0, SPEC_GPUS, &out->count, err); break;
    case JSON_STRING:
        r = json_as_string(v, &word, err);
        out->all = r == 0 && strcmp(word, "all") == 0;
        if (r == 0 && !out->all) r = json_error(v, err, "must be \"all\", a number or a list");
        break;
    default: r = json_error(v, err, "must be \"all\", a number or a list");
    }
    return r < 0 || !spec_gpus_wanted(out) ? r : check_env(v, env, err);
}

void spec_gpus_encode(const struct spec_gpus *gpus, struct json_writer *w) {
    if (gpus->all) json_put_string(w, "gpus", "all");
    else if (gpus->names) json_put_strv(w, "gpus", gpus->names);
    else if (gpus->count) json_put_int(w, "gpus", gpus->count);
}
