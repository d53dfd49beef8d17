/*
 * Texts that are no JSON: what the kernel and the system's files say about groups and
 * ids (sandbox/), names and links of trees (images/), and the command line of exec.
 * The first byte chooses.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "images/listing.h"
#include "orchestrator/client/args.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/exec/quantity.h"
#include "orchestrator/exec/request.h"
#include "sandbox/cgroup_internal.h"
#include "sandbox/identity.h"
#include "tests/fuzz/fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 64

static void groups(struct fuzz_input *in) {
    _cleanup_free_ char *mounts = fuzz_text(in);
    _cleanup_free_ char *membership = fuzz_text(in);
    _cleanup_free_ char *wanted = fuzz_text(in);
    _cleanup_cgroup_map_ struct cgroup_map map = {0};
    FUZZ_CHECK(cgroup_map_parse(mounts, membership, &map, NULL) == 0, "out of memory");
    for (size_t i = 0; i < map.count; i++) {
        const struct cgroup_hierarchy *h = &map.items[i];
        _cleanup_free_ char *own = cgroup_hierarchy_own(h);
        FUZZ_CHECK(!own || !*own || *own == '/' || !h->own || h->own[0] != '/', "own is %s", own);
        FUZZ_CHECK(h->unified || h->controllers, "a hierarchy of nothing");
        FUZZ_CHECK(!h->unified || cgroup_map_unified(&map) == h, "two unified hierarchies");
    }
    struct cgroup_group g = {.in_hierarchy = wanted, .unified = mounts[0] & 1};
    if (*wanted == '/') cgroup_membership_has(membership, &g);
    if (*wanted) cgroup_field(membership, wanted);
    cgroup_controllers_parse(membership);
}

static void subids(const struct fuzz_input *in) {
    char path[40];
    uint32_t start = 0, count = 0;
    _cleanup_close_ int fd = fuzz_memfd(in->at, in->left);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (!identity_subid_range(path, "me", 4242, &start, &count)) return;
    FUZZ_CHECK(start > 0 && count >= PAYLOAD_UID && count < 65536, "%u ids from %u", count, start);
    FUZZ_CHECK((uint64_t)start + count <= UINT32_MAX, "%u ids from %u", count, start);
}

/* Where a link leads, reckoned another way: by taking components off a list. */
static bool leads_inside(const char *path, const char *target) {
    long depth = -1;
    for (const char *p = path; p; p = strchr(p, '/'), p = p ? p + 1 : NULL) depth++;
    if (!*target || *target == '/') return false;
    _cleanup_free_ char *copy = strdup(target);
    char *rest = copy;
    for (char *part; (part = strsep(&rest, "/"));) {
        if (str_eq(part, "..")) depth--;
        else if (*part && !str_eq(part, ".")) depth++;
        if (depth < 0) return false;
    }
    return true;
}

static void names(struct fuzz_input *in) {
    _cleanup_free_ char *path = fuzz_text(in);
    _cleanup_free_ char *target = fuzz_text(in);
    const char *why = path_objection(path);
    if (!why) FUZZ_CHECK(path_is_confined(path), "%s", path);
    if (!why && link_stays_inside(path, target))
        FUZZ_CHECK(leads_inside(path, target), "%s -> %s", path, target);
    if (!why && !link_objection(path, target))
        FUZZ_CHECK(link_stays_inside(path, target), "%s -> %s", path, target);
    _cleanup_free_ char *shown = str_printable(target, strlen(target));
    FUZZ_CHECK(shown, "out of memory");
    for (size_t i = 0, n, len = strlen(shown); i < len; i += n) {
        n = utf8_sequence((const unsigned char *)shown + i, len - i);
        FUZZ_CHECK(n > 0 && (unsigned char)shown[i] >= 0x20 && shown[i] != 0x7f, "%s", shown);
    }
    if (reply_check_id(path, "evrm", NULL) == 0)
        FUZZ_CHECK(strspn(path, "evrm0123456789") == strlen(path), "%s", path);
}

static void quantities(struct fuzz_input *in) {
    _cleanup_free_ char *text = fuzz_text(in);
    int64_t ms = 0, bytes = 0;
    bool plain = *text && strchr("0123456789.", *text) && !strpbrk(text, "xXpP");
    if (quantity_ms(text, &ms, NULL) == 0)
        FUZZ_CHECK(plain && ms >= 1 && ms <= INT64_C(366) * 86400000, "%s: %ld", text, (long)ms);
    if (quantity_bytes(text, &bytes, NULL) == 0)
        FUZZ_CHECK(plain && bytes >= 1 && bytes <= INT64_C(1) << 50, "%s: %ld", text, (long)bytes);
}

static bool recode(const struct json *doc, struct buf *out) {
    _cleanup_spec_ struct spec s = {0};
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (spec_decode(doc, &s, NULL) < 0) return false;
    FUZZ_CHECK(w && spec_encode(&s, w, NULL) == 0, "cannot be written");
    fuzz_take_text(w, out);
    return true;
}

static void check_request(const struct args *args, char *const *command) {
    struct exec_request r = {0};
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf text = {0};
    int made = exec_request_make(args, command, &r, &err);
    FUZZ_CHECK((made < 0) == error_is_set(&err), "returned %d: %s", made, error_text(&err));
    if (made == 0) {
        _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
        FUZZ_CHECK(w && spec_encode(&r.spec, w, &err) == 0, "%s", error_text(&err));
        fuzz_take_text(w, &text);
        fuzz_round_trip("request", buf_text(&text), text.len, recode);
    }
    exec_request_clear(&r);
}

static void command_line(struct fuzz_input *in) {
    char *words[WORDS_MAX + 1] = {0};
    char *const command[] = {(char *)"true", NULL};
    size_t n = 0;
    while (in->left > 0 && n < WORDS_MAX) words[n++] = fuzz_text(in);
    _cleanup_args_ struct args args = {0};
    _cleanup_error_ struct error err = {0};
    args_wants_help(words);
    int r = args_parse(exec_options, NULL, words, &args, &err);
    FUZZ_CHECK((r < 0) == error_is_set(&err) && err.kind != ERROR_INTERNAL, "returned %d: %s", r,
               error_text(&err));
    if (r == 0) check_request(&args, command);
    while (n > 0) free(words[--n]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct fuzz_input in = {data, len};
    setenv("PADDOCK_POLICIES", FUZZ_BUILD "/policies", 1);
    setenv("PADDOCK_STATE", "/nonexistent", 1);
    switch (fuzz_byte(&in) % 5) {
    case 0: groups(&in); break;
    case 1: subids(&in); break;
    case 2: names(&in); break;
    case 3: quantities(&in); break;
    default: command_line(&in);
    }
    return 0;
}
