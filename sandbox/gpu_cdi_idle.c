#include "sandbox/gpu_cdi_idle.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"

typedef int check_one(const struct json *v, struct error *err);

static int check_hook(const struct json *v, struct error *err) {
    struct json_reader r;
    _cleanup_free_ char *when = NULL, *path = NULL;
    _cleanup_strv_ char **args = NULL, **env = NULL;
    int64_t timeout = 0;
    json_object(&r, v, err);
    json_get_string(&r, "hookName", JSON_REQUIRED, &when);
    json_get_string(&r, "path", JSON_REQUIRED, &path);
    json_get_strv(&r, "args", JSON_OPTIONAL, &args);
    json_get_strv(&r, "env", JSON_OPTIONAL, &env);
    json_get_int(&r, "timeout", JSON_OPTIONAL, 0, INT32_MAX, &timeout);
    if (path && !path_is_rooted(path))
        json_reader_fail(&r, json_find(v, "path"),
                         "must be an absolute path without \".\", \"..\" or empty parts");
    return json_object_end(&r);
}

static int check_group(const struct json *v, struct error *err) {
    int64_t unused = 0;
    return json_as_int(v, 0, UINT32_MAX, &unused, err);
}

static int check_network(const struct json *v, struct error *err) {
    struct json_reader r;
    _cleanup_free_ char *host = NULL, *inside = NULL;
    json_object(&r, v, err);
    json_get_string(&r, "hostInterfaceName", JSON_REQUIRED, &host);
    json_get_string(&r, "name", JSON_REQUIRED, &inside);
    return json_object_end(&r);
}

static int check_text(const struct json *v, struct error *err) {
    const char *unused = NULL;
    return json_as_string(v, &unused, err);
}

static int check_allocation(const struct json *v, struct error *err) {
    static const char *const texts[] = {"closID", "l3CacheSchema", "memBwSchema"};
    static const char *const truths[] = {"enableCMT", "enableMBM", "enableMonitoring"};
    struct json_reader r;
    _cleanup_strv_ char **schemata = NULL;
    json_object(&r, v, err);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        _cleanup_free_ char *unused = NULL;
        json_get_string(&r, texts[i], JSON_OPTIONAL, &unused);
    }
    for (size_t i = 0; i < ARRAY_SIZE(truths); i++) {
        bool unused = false;
        json_get_bool(&r, truths[i], JSON_OPTIONAL, &unused);
    }
    json_get_strv(&r, "schemata", JSON_OPTIONAL, &schemata);
    return json_object_end(&r);
}

/* How many there are, all of them in good form. */
static size_t check_each(struct json_reader *r, const struct json *list, check_one *check) {
    if (!list || r->failed) return 0;
    if (json_count(list) > GPU_CDI_LIST)
        json_reader_fail(r, list, "has more than %d elements", GPU_CDI_LIST);
    for (size_t i = 0; !r->failed && i < json_count(list); i++)
        if (check(json_at(list, i), r->err) < 0) r->failed = true;
    return json_count(list);
}

void gpu_cdi_read_annotations(struct json_reader *r) {
    check_each(r, json_get_object(r, "annotations", JSON_OPTIONAL), check_text);
}

void gpu_cdi_read_idle(struct json_reader *r, struct gpu_cdi_idle *out) {
    out->hooks += check_each(r, json_get_array(r, "hooks", JSON_OPTIONAL), check_hook);
    out->groups += check_each(r, json_get_array(r, "additionalGids", JSON_OPTIONAL), check_group);
    out->networks += check_each(r, json_get_array(r, "netDevices", JSON_OPTIONAL), check_network);
    const struct json *allocation = json_get_object(r, "intelRdt", JSON_OPTIONAL);
    if (!allocation || r->failed) return;
    if (check_allocation(allocation, r->err) < 0) r->failed = true;
    out->allocations++;
}
