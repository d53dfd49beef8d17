/*
 * The same filter with fewer instructions.
 *
 * What the kernel does with a program as it is installed (checking, converting
 * and compiling each instruction, then running it for each call number to learn
 * which are always allowed) is time of every launch, and linear in its length.
 * libseccomp compares with one call after the other; but neighbours in number
 * mostly have the same answer. So: find out what the program does with every
 * number, as ranges, and search over those.
 *
 *     load the architecture; another one's answer
 *     load the call's number
 *     binary search over the ranges → a return, or
 *     the old instructions from the first look at an argument on
 *
 * The ranges are exact: between two constants that the old program compares the
 * number with, it does the same for all numbers. Where it does something this
 * file does not follow, it stays as it is.
 */
#include "common/cleanup.h"
#include "policies/policy_internal.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What the program does with a number: ends, or looks at arguments from `pc` on. */
struct outcome {
    bool ends;
    uint32_t value; /* of the return, or pc */
};

struct range {
    uint32_t first; /* number; up to the next range's */
    struct outcome outcome;
};

/* Built from the end: every jump is forwards, to something that stands already. */
struct backwards {
    struct sock_filter *insns; /* in reverse order */
    size_t count, cap;
    size_t *copied; /* old pc → place from the end, of what was copied */
    bool failed;    /* out of memory */
};

/* ---- following the old program ---- */

static bool jump_taken(const struct sock_filter *i, uint32_t a) {
    switch (BPF_OP(i->code)) {
    case BPF_JEQ: return a == i->k;
    case BPF_JGT: return a > i->k;
    case BPF_JGE: return a >= i->k;
    default: return a & i->k; /* BPF_JSET; see follows() */
    }
}

/* Whether all instructions are of the few kinds that are understood here. */
static bool follows(const struct policy_filter *f) {
    for (size_t i = 0; i < f->count; i++) {
        switch (f->insns[i].code) {
        case BPF_LD | BPF_W | BPF_ABS:
        case BPF_ALU | BPF_AND | BPF_K:
        case BPF_RET | BPF_K:
        case BPF_JMP | BPF_JA:
        case BPF_JMP | BPF_JEQ | BPF_K:
        case BPF_JMP | BPF_JGT | BPF_K:
        case BPF_JMP | BPF_JGE | BPF_K:
        case BPF_JMP | BPF_JSET | BPF_K: break;
        default: return false;
        }
    }
    return true;
}

/* False when the number itself is calculated with. */
static bool walk(const struct policy_filter *f, uint32_t arch, uint32_t nr, struct outcome *out) {
    uint32_t a = 0;
    for (size_t pc = 0; pc < f->count; pc++) {
        const struct sock_filter *i = &f->insns[pc];
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (i->k == offsetof(struct seccomp_data, nr)) a = nr;
            else if (i->k == offsetof(struct seccomp_data, arch)) a = arch;
            else return *out = (struct outcome){false, (uint32_t)pc}, true;
            break;
        case BPF_RET | BPF_K: return *out = (struct outcome){true, i->k}, true;
        case BPF_JMP | BPF_JA: pc += i->k; break;
        case BPF_ALU | BPF_AND | BPF_K: return false;
        default: pc += jump_taken(i, a) ? i->jt : i->jf; break;
        }
    }
    return false;
}

/* ---- ranges ---- */

static int compare_numbers(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool same(struct outcome a, struct outcome b) {
    return a.ends == b.ends && a.value == b.value;
}

/* Where the outcome may change: at each constant compared with, and behind it. */
static uint32_t *breakpoints(const struct policy_filter *f, size_t *count) {
    uint32_t *at = malloc((2 * (size_t)f->count + 1) * sizeof *at);
    if (!at) return NULL;
    *count = 0;
    at[(*count)++] = 0;
    for (size_t i = 0; i < f->count; i++) {
        if (BPF_CLASS(f->insns[i].code) != BPF_JMP || BPF_OP(f->insns[i].code) == BPF_JA) continue;
        at[(*count)++] = f->insns[i].k;
        at[(*count)++] = f->insns[i].k + 1; /* 0 again behind the highest: harmless */
    }
    qsort(at, *count, sizeof *at, compare_numbers);
    return at;
}

/* Fresh memory; NULL when the program cannot be followed or memory ran out. */
static struct range *find_ranges(const struct policy_filter *f, size_t *count) {
    size_t points = 0;
    _cleanup_free_ uint32_t *at = breakpoints(f, &points);
    struct range *ranges = at ? malloc(points * sizeof *ranges) : NULL;
    *count = 0;
    for (size_t i = 0; ranges && i < points; i++) {
        struct outcome o;
        if (!walk(f, SECCOMP_ARCH, at[i], &o)) {
            free(ranges);
            return NULL;
        }
        if (*count && same(ranges[*count - 1].outcome, o)) continue;
        ranges[(*count)++] = (struct range){at[i], o};
    }
    return ranges;
}

/* ---- the new program ---- */

/* Its place from the end; a jump from place p to place q skips p − q − 1. */
static size_t emit(struct backwards *b, struct sock_filter insn) {
    if (b->count == b->cap) {
        size_t cap = b->cap ? 2 * b->cap : 256;
        struct sock_filter *grown = realloc(b->insns, cap * sizeof *grown);
        if (!grown) {
            b->failed = true;
            return 0;
        }
        b->insns = grown;
        b->cap = cap;
    }
    b->insns[b->count] = insn;
    return b->count++;
}

/* The old instructions that run behind a look at an argument. */
static void mark(const struct policy_filter *f, bool *reached, size_t from) {
    reached[from] = true;
    for (size_t pc = from; pc < f->count; pc++) { /* jumps are forwards: one pass */
        const struct sock_filter *i = &f->insns[pc];
        if (!reached[pc] || BPF_CLASS(i->code) == BPF_RET) continue;
        if (i->code == (BPF_JMP | BPF_JA)) reached[pc + 1 + i->k] = true;
        else if (BPF_CLASS(i->code) == BPF_JMP)
            reached[pc + 1 + i->jt] = reached[pc + 1 + i->jf] = true;
        else reached[pc + 1] = true;
    }
}

/* What is left out only brings closer what is kept, so every branch still reaches. */
static void copy(struct backwards *b, const struct policy_filter *f, const bool *reached) {
    for (size_t pc = f->count; pc-- > 0;) {
        if (!reached[pc]) continue;
        struct sock_filter i = f->insns[pc];
        size_t place = b->count;
        if (i.code == (BPF_JMP | BPF_JA)) {
            i.k = (uint32_t)(place - b->copied[pc + 1 + i.k] - 1);
        } else if (BPF_CLASS(i.code) == BPF_JMP) {
            i.jt = (uint8_t)(place - b->copied[pc + 1 + i.jt] - 1);
            i.jf = (uint8_t)(place - b->copied[pc + 1 + i.jf] - 1);
        }
        b->copied[pc] = emit(b, i);
    }
}

/* A place with this outcome that the next `near` instructions reach by a branch. */
static size_t leaf(struct backwards *b, struct outcome o, size_t near) {
    for (size_t p = b->count; o.ends && p-- > 0 && b->count + near - p <= 255;)
        if (b->insns[p].code == (BPF_RET | BPF_K) && b->insns[p].k == o.value) return p;
    if (o.ends) return emit(b, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, o.value));
    size_t to = b->copied[o.value];
    if (b->count + near - to <= 255) return to;
    return emit(b, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(b->count - to - 1)));
}

static size_t search(struct backwards *b, const struct range *r, size_t count) {
    enum { NEAR = 4 }; /* at most a trampoline and the node itself come before */
    if (count == 1) return leaf(b, r->outcome, NEAR);
    size_t half = count / 2;
    size_t right = search(b, r + half, count - half);
    size_t left = search(b, r, half);
    if (b->count - right > 254)
        right = emit(
            b, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(b->count - right - 1)));
    /* The left half may be a leaf that stood before. */
    if (b->count - left > 254)
        left = emit(
            b, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(b->count - left - 1)));
    size_t place = b->count;
    return emit(b, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, r[half].first,
                                                (uint8_t)(place - right - 1),
                                                (uint8_t)(place - left - 1)));
}

static void build(struct backwards *b, const struct policy_filter *f, const struct range *ranges,
                  size_t count, uint32_t other_architecture) {
    bool *reached = calloc(f->count, sizeof *reached);
    b->copied = calloc(f->count, sizeof *b->copied);
    b->failed = !reached || !b->copied;
    for (size_t i = 0; !b->failed && i < count; i++)
        if (!ranges[i].outcome.ends) mark(f, reached, ranges[i].outcome.value);
    if (!b->failed) copy(b, f, reached);
    free(reached);
    if (b->failed) return;
    size_t top = search(b, ranges, count);
    if (top != b->count - 1) /* a single range */
        emit(b, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(b->count - top - 1)));
    emit(b,
         (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    emit(b, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, other_architecture));
    emit(b, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SECCOMP_ARCH, 1, 0));
    emit(b, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                         offsetof(struct seccomp_data, arch)));
}

static int take(struct policy_filter *f, const struct backwards *b, struct error *err) {
    if (b->failed) return error_sys(err, ENOMEM, "filter");
    if (b->count >= f->count) return 0; /* nothing gained */
    for (size_t i = 0; i < b->count; i++) f->insns[i] = b->insns[b->count - 1 - i];
    f->count = (unsigned short)b->count;
    return 0;
}

int policy_shrink(struct policy_filter *f, struct error *err) {
    struct outcome other;
    size_t count = 0;
    if (!follows(f) || !walk(f, ~SECCOMP_ARCH, 0, &other) || !other.ends) return 0;
    _cleanup_free_ struct range *ranges = find_ranges(f, &count);
    if (!ranges) return 0;
    struct backwards b = {0};
    build(&b, f, ranges, count, other.value);
    int r = take(f, &b, err);
    free(b.insns);
    free(b.copied);
    return r;
}
