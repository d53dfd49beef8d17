/*
 * What can be done with a compiled filter: asking it about a call, finding out
 * whether it needs a listener, doing without one, and the filter of learning.
 */
#include "policies/policy_internal.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

static bool jump_taken(uint16_t code, uint32_t a, uint32_t k) {
    switch (BPF_OP(code)) {
    case BPF_JEQ: return a == k;
    case BPF_JGT: return a > k;
    case BPF_JGE: return a >= k;
    default: return (a & k) != 0; /* BPF_JSET */
    }
}

/* The instructions that the kernel takes in such a filter and libseccomp or we
 * write; jumps only go forward, so that it ends. */
uint32_t policy_filter_answer(const struct policy_filter *f, int number, const uint64_t *args) {
    struct seccomp_data data = {.nr = number, .arch = seccomp_arch_native()};
    memcpy(data.args, args, sizeof data.args);
    uint32_t a = 0;
    for (size_t pc = 0; pc < f->count; pc++) {
        const struct sock_filter *i = &f->insns[pc];
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (i->k > sizeof data - sizeof a) return SECCOMP_RET_KILL_PROCESS;
            memcpy(&a, (const char *)&data + i->k, sizeof a);
            break;
        case BPF_ALU | BPF_AND | BPF_K: a &= i->k; break;
        case BPF_JMP | BPF_JA: pc += i->k; break;
        case BPF_RET | BPF_K: return i->k;
        default:
            if (BPF_CLASS(i->code) != BPF_JMP) return SECCOMP_RET_KILL_PROCESS;
            pc += jump_taken(i->code, a, i->k) ? i->jt : i->jf;
        }
    }
    return SECCOMP_RET_KILL_PROCESS;
}

static bool is_question(const struct sock_filter *i) {
    return i->code == (BPF_RET | BPF_K) && i->k == SECCOMP_RET_USER_NOTIF;
}

bool policy_filter_asks(const struct policy_filter *f) {
    for (size_t i = 0; i < f->count; i++)
        if (is_question(&f->insns[i])) return true;
    return false;
}

void policy_filter_unheard(struct policy_filter *f) {
    for (size_t i = 0; i < f->count; i++)
        if (is_question(&f->insns[i])) f->insns[i].k = SECCOMP_RET_KILL_PROCESS;
    digest_hex_of(f->insns, f->count * sizeof *f->insns, f->sha256);
}

/* x32 calls carry the architecture of x86-64 and this bit (asm/unistd.h). */
#ifdef __x86_64__
enum { FOREIGN = 0x40000000 };
#else
enum { FOREIGN = 0x7fffffff };
#endif

/* The lower half of an argument: all that the kernel reads of an int. */
static uint32_t low_half(unsigned argument) {
    uint32_t at = (uint32_t)(offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t));
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? at + 4 : at;
}

int policy_filter_learning(int fd, int flags, struct policy_filter *out, struct error *err) {
    const struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FOREIGN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low_half(0)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)fd, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low_half(2)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)flags, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    };
    *out = (struct policy_filter){.insns = malloc(sizeof program),
                                  .count = sizeof program / sizeof *program};
    if (!out->insns) return error_sys(err, ENOMEM, "filter");
    memcpy(out->insns, program, sizeof program);
    digest_hex_of(out->insns, sizeof program, out->sha256);
    return 0;
}
