/*
 * Arguments of system calls in words.
 *
 * The table knows the calls whose arguments policies look at; of all others the
 * registers are shown as they are. What is written here can be read back by
 * the loader of policies: names and hexadecimal numbers joined by '|'.
 */
#include "common/cleanup.h"
#include "policies/policy_internal.h"

#include <inttypes.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* How a kind of argument is named: `base` is the part with one name, the rest
 * are flags, each with a name of its own. */
struct kind {
    const char *base_prefixes[8];
    uint64_t base;
    const char *flag_prefixes[2];
    unsigned bits;     /* that the kernel reads */
    uint64_t compared; /* what learning looks at: flags that any call may have do not count */
};

#define ALL_32 UINT64_C(0xffffffff)
#define ALL_64 UINT64_MAX

enum {
    PLAIN,
    INT,
    FAMILY,
    SOCKET_TYPE,
    PROTOCOL,
    LEVEL,
    OPTION,
    CLONE,
    COMMAND,
    PRCTL,
    FCNTL,
    MADVICE,
    FADVICE,
    MEMFD,
    MODE,
    PERSONALITY,
    PROCESS,
    KINDS,
};

static const struct kind kinds[KINDS] = {
    [PLAIN] = {{NULL}, 0, {NULL}, 64, 0},
    [INT] = {{NULL}, ALL_32, {NULL}, 32, 0},
    [FAMILY] = {{"AF_"}, ALL_32, {NULL}, 32, ALL_32},
    [SOCKET_TYPE] = {{"SOCK_"}, 0xf, {"SOCK_"}, 32, 0xf},
    [PROTOCOL] = {{"IPPROTO_"}, ALL_32, {NULL}, 32, ALL_32},
    [LEVEL] = {{"SOL_", "IPPROTO_"}, ALL_32, {NULL}, 32, ALL_32},
    [OPTION] = {{NULL}, ALL_32, {NULL}, 32, ALL_32},
    [CLONE] = {{"SIG"}, 0xff, {"CLONE_"}, 64, ALL_64},
    [COMMAND] = {{"TCGET", "TCSET", "TCSB", "TCFL", "TCX", "TIOC", "FIO", "SIOC"},
                 ALL_32,
                 {NULL},
                 32,
                 ALL_32},
    [PRCTL] = {{"PR_"}, ALL_32, {NULL}, 32, ALL_32},
    [FCNTL] = {{"F_"}, ALL_32, {NULL}, 32, ALL_32},
    [MADVICE] = {{"MADV_"}, ALL_32, {NULL}, 32, ALL_32},
    [FADVICE] = {{"POSIX_FADV_"}, ALL_32, {NULL}, 32, ALL_32},
    [MEMFD] = {{NULL}, 0, {"MFD_"}, 32, ALL_32},
    [MODE] = {{"S_IF"}, S_IFMT, {NULL}, 32, S_IFMT},
    [PERSONALITY] = {{"PER_"}, 0xff, {"ADDR_"}, 32, ALL_32},
    [PROCESS] = {{NULL}, ALL_32, {NULL}, 32, 0},
};

struct argument {
    const char *name;
    int kind;
};

struct signature {
    const char *call;
    struct argument arguments[6];
};

static const struct signature signatures[] = {
    {"socket", {{"family", FAMILY}, {"type", SOCKET_TYPE}, {"protocol", PROTOCOL}}},
    {"socketpair",
     {{"family", FAMILY}, {"type", SOCKET_TYPE}, {"protocol", PROTOCOL}, {"pair", PLAIN}}},
    {"setsockopt",
     {{"socket", INT}, {"level", LEVEL}, {"option", OPTION}, {"value", PLAIN}, {"length", PLAIN}}},
    {"clone",
     {{"flags", CLONE}, {"stack", PLAIN}, {"parent", PLAIN}, {"child", PLAIN}, {"tls", PLAIN}}},
    {"unshare", {{"flags", CLONE}}},
    {"setns", {{"descriptor", INT}, {"type", CLONE}}},
    {"ioctl", {{"descriptor", INT}, {"command", COMMAND}, {"argument", PLAIN}}},
    {"prctl", {{"option", PRCTL}, {"a", PLAIN}, {"b", PLAIN}, {"c", PLAIN}, {"d", PLAIN}}},
    {"fcntl", {{"descriptor", INT}, {"command", FCNTL}, {"argument", PLAIN}}},
    {"madvise", {{"address", PLAIN}, {"length", PLAIN}, {"advice", MADVICE}}},
    {"fadvise64", {{"descriptor", INT}, {"offset", PLAIN}, {"length", PLAIN}, {"advice", FADVICE}}},
    {"memfd_create", {{"name", PLAIN}, {"flags", MEMFD}}},
    {"mknod", {{"path", PLAIN}, {"mode", MODE}, {"device", PLAIN}}},
    {"mknodat", {{"folder", INT}, {"path", PLAIN}, {"mode", MODE}, {"device", PLAIN}}},
    {"personality", {{"persona", PERSONALITY}}},
    {"prlimit64",
     {{"process", PROCESS}, {"resource", PLAIN}, {"new limit", PLAIN}, {"old limit", PLAIN}}},
    /* Those that kill, so that a violation shows no registers they do not have. */
    {"kexec_load", {{"entry", PLAIN}, {"segments", PLAIN}, {"list", PLAIN}, {"flags", PLAIN}}},
    {"kexec_file_load",
     {{"kernel", INT},
      {"initrd", INT},
      {"length", PLAIN},
      {"command line", PLAIN},
      {"flags", PLAIN}}},
    {"init_module", {{"image", PLAIN}, {"length", PLAIN}, {"parameters", PLAIN}}},
    {"finit_module", {{"descriptor", INT}, {"parameters", PLAIN}, {"flags", PLAIN}}},
    {"delete_module", {{"name", PLAIN}, {"flags", PLAIN}}},
    {"reboot", {{"magic", INT}, {"magic", INT}, {"command", INT}, {"argument", PLAIN}}},
    {"swapon", {{"path", PLAIN}, {"flags", PLAIN}}},
    {"swapoff", {{"path", PLAIN}}},
    {"iopl", {{"level", INT}}},
    {"ioperm", {{"from", PLAIN}, {"count", PLAIN}, {"on", INT}}},
};

static const struct signature *signature_of(int number) {
    _cleanup_free_ char *call = policy_call_named(number);
    for (size_t i = 0; call && i < ARRAY_SIZE(signatures); i++)
        if (strcmp(signatures[i].call, call) == 0) return &signatures[i];
    return NULL;
}

static const struct argument *argument_of(int number, unsigned argument) {
    const struct signature *s = signature_of(number);
    const struct argument *a = s && argument < 6 ? &s->arguments[argument] : NULL;
    return a && a->name ? a : NULL;
}

const char *policy_argument_name(int number, unsigned argument) {
    const struct argument *a = argument_of(number, argument);
    return a ? a->name : NULL;
}

unsigned policy_argument_count(int number, const uint64_t *args) {
    const struct signature *s = signature_of(number);
    unsigned n = 6;
    if (s)
        while (n > 0 && !s->arguments[n - 1].name) n--;
    else /* Nobody knows: trailing zeros say nothing. */
        while (n > 0 && args[n - 1] == 0) n--;
    return n;
}

uint64_t policy_argument_learned(int number, unsigned argument) {
    const struct argument *a = argument_of(number, argument);
    return a ? kinds[a->kind].compared : 0;
}

/* ---- in words ---- */

/* An earlier prefix counts more: level 1 is SOL_SOCKET, not IPPROTO_ICMP. */
static const char *find_name(const char *const *prefixes, size_t count, uint64_t value) {
    for (size_t p = 0; p < count && prefixes[p]; p++) {
        const char *name;
        for (size_t i = 0; (name = policy_constant_at(i)); i++) {
            uint64_t known = 0;
            if (str_starts(name, prefixes[p]) && policy_constant(name, strlen(name), &known) &&
                known == value)
                return name;
        }
    }
    return NULL;
}

/* Which constants an argument has may depend on an argument before it. */
static const char *dependent_prefix(int kind, const uint64_t *args) {
    if (kind == PROTOCOL) return (uint32_t)args[0] == AF_NETLINK ? "NETLINK_" : "IPPROTO_";
    if (kind != OPTION) return NULL;
    switch ((uint32_t)args[1]) {
    case SOL_SOCKET: return "SO_";
    case 0: return "IP_";    /* IPPROTO_IP */
    case 6: return "TCP_";   /* IPPROTO_TCP */
    case 41: return "IPV6_"; /* IPPROTO_IPV6 */
    default: return "\x7f";  /* no name begins with it */
    }
}

static void join(struct buf *out, size_t from) {
    if (out->len > from) buf_putc(out, '|');
}

static void put_flags(const struct kind *k, uint64_t flags, size_t from, struct buf *out) {
    uint64_t unnamed = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t flag = flags & (UINT64_C(1) << bit);
        const char *name = flag ? find_name(k->flag_prefixes, 2, flag) : NULL;
        if (flag && !name) unnamed |= flag;
        if (!name) continue;
        join(out, from);
        buf_puts(out, name);
    }
    if (!unnamed) return;
    join(out, from);
    buf_printf(out, "0x%" PRIx64, unnamed);
}

void policy_argument_text(int number, unsigned argument, const uint64_t *args, struct buf *out) {
    const struct argument *a = argument_of(number, argument);
    const struct kind *k = &kinds[a ? a->kind : PLAIN];
    uint64_t value = args[argument];
    size_t from = out->len;
    if (k->bits == 32) value &= ALL_32;
    const char *dependent = a ? dependent_prefix(a->kind, args) : NULL;
    uint64_t base = value & k->base;
    const char *name = NULL;
    if (dependent) name = find_name(&dependent, 1, base);
    else if (k->base_prefixes[0]) name = find_name(k->base_prefixes, 8, base);
    if (name && (base || value == 0 || !k->flag_prefixes[0])) buf_puts(out, name);
    else if (base) buf_printf(out, "0x%" PRIx64, base);
    if (value & ~k->base) put_flags(k, value & ~k->base, from, out);
    if (out->len == from) buf_puts(out, "0");
}

void policy_call_text(int number, const uint64_t *args, struct buf *out) {
    _cleanup_free_ char *name = policy_call_named(number);
    buf_printf(out, "%s(", name ? name : "?");
    unsigned n = policy_argument_count(number, args);
    for (unsigned i = 0; i < n; i++) {
        buf_puts(out, i ? ", " : "");
        policy_argument_text(number, i, args, out);
    }
    buf_putc(out, ')');
}

/* ---- and back ---- */

static bool parse_number(const char *text, size_t len, uint64_t *out) {
    char copy[32];
    char *end = NULL;
    if (len == 0 || len >= sizeof copy || (text[0] != '-' && (text[0] < '0' || text[0] > '9')))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    errno = 0;
    *out = text[0] == '-' ? (uint64_t)strtoll(copy, &end, 0) : strtoull(copy, &end, 0);
    return *end == '\0' && errno == 0;
}

int policy_value_parse(const char *text, uint64_t *out, struct error *err) {
    *out = 0;
    for (const char *p = text;; p++) {
        size_t len = strcspn(p, "|");
        uint64_t part = 0;
        if (!parse_number(p, len, &part) && !policy_constant(p, len, &part)) {
            _cleanup_free_ char *shown = str_printable(p, len < 64 ? len : 64);
            return error_set(err, ERROR_INVALID,
                             "\"%s\" is neither a number nor a constant known here",
                             shown ? shown : "?");
        }
        *out |= part;
        p += len;
        if (!*p) return 0;
    }
}
