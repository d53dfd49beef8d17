/*
 * Which devices a sandbox can open, by its control group (declared in cgroup.h): a
 * program in the unified hierarchy (Documentation/admin-guide/cgroup-v2.rst, "Device
 * controller"), else a v1 list. Both are asked on every open, whatever path or
 * descriptor of a folder led to the node.
 */
#include "common/cleanup.h"
#include "sandbox/cgroup_internal.h"
#include "sandbox/weaken.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ANY UINT32_MAX

enum { PER_DEVICE = 4, MOST = 512 };

/* null, zero, full, random, urandom; ptmx and the terminals behind it. */
static const struct cgroup_device usual[] = {{1, 3}, {1, 5}, {1, 7},    {1, 8},
                                             {1, 9}, {5, 2}, {136, ANY}};

#define INSN(op, d, s, o, i)                                                      \
    (struct bpf_insn) {                                                           \
        .code = (op), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (int)(i) \
    }

/* r2 type, r3 access, r4 major, r5 minor; 1: allowed. */
static size_t head(struct bpf_insn *p) {
    size_t n = 0;
    p[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0);
    p[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_X, 3, 2, 0, 0);
    p[n++] = INSN(BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
    p[n++] = INSN(BPF_ALU64 | BPF_RSH | BPF_K, 3, 0, 0, 16);
    p[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, 4, 1, 4, 0);
    p[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, 5, 1, 8, 0);
    return n;
}

static size_t refuse(struct bpf_insn *p) {
    p[0] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
    p[1] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    return 2;
}

/* Only character devices, and never to be made. */
static size_t common(struct bpf_insn *p) {
    p[0] = INSN(BPF_JMP | BPF_JNE | BPF_K, 2, 0, 2, BPF_DEVCG_DEV_CHAR);
    p[1] = INSN(BPF_ALU64 | BPF_AND | BPF_K, 3, 0, 0, BPF_DEVCG_ACC_MKNOD);
    p[2] = INSN(BPF_JMP | BPF_JEQ | BPF_K, 3, 0, 2, 0);
    return 3 + refuse(p + 3);
}

static size_t allow(struct bpf_insn *p, const struct cgroup_device *d) {
    bool any = d->minor == ANY;
    size_t n = 0;
    p[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 4, 0, any ? 2 : 3, d->major);
    if (!any) p[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 5, 0, 2, d->minor);
    p[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1);
    p[n++] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    return n;
}

static int attach(int group, const struct bpf_insn *insns, size_t count) {
    static const char license[] = "MIT";
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attr.insns = (uint64_t)(uintptr_t)insns;
    attr.insn_cnt = (uint32_t)count;
    attr.license = (uint64_t)(uintptr_t)license;
    _cleanup_close_ int program = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
    if (program < 0) return -1;
    memset(&attr, 0, sizeof attr);
    attr.target_fd = (uint32_t)group;
    attr.attach_bpf_fd = (uint32_t)program;
    attr.attach_type = BPF_CGROUP_DEVICE;
    attr.attach_flags = BPF_F_ALLOW_MULTI;
    return (int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof attr);
}

/* The program goes with its group. */
static int attach_list(const struct cgroup_group *g, const struct cgroup_device *list,
                       size_t count) {
    struct bpf_insn insns[(MOST + ARRAY_SIZE(usual) + 4) * PER_DEVICE];
    _cleanup_close_ int group = openat(g->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (group < 0) return -1;
    size_t n = head(insns);
    n += common(insns + n);
    for (size_t i = 0; i < ARRAY_SIZE(usual); i++) n += allow(insns + n, &usual[i]);
    for (size_t i = 0; i < count; i++) n += allow(insns + n, &list[i]);
    n += refuse(insns + n);
    return attach(group, insns, n);
}

static int allow_v1(const struct cgroup_group *g, const struct cgroup_device *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char text[48];
        snprintf(text, sizeof text, "c %u:%u rw", list[i].major, list[i].minor);
        if (cgroup_write(g->fd, "devices.allow", text) < 0) return -1;
    }
    return 0;
}

static int list_v1(struct cgroup *cg, const struct cgroup_device *list, size_t count,
                   const char *why, struct error *err) {
    static const struct spec_limits none;
    _cleanup_cgroup_map_ struct cgroup_map map = {0};
    const struct cgroup_want want = {.limits = &none, .delegated = getenv("PADDOCK_CGROUP")};
    if (cgroup_map_load(&map, err) < 0) return -1;
    for (size_t i = 0; i < map.count; i++) {
        const struct cgroup_hierarchy *h = &map.items[i];
        if (h->unified || !(h->controllers & CTL_BIT(CTL_DEVICES))) continue;
        if (cgroup_v1_create(cg, h, CTL_BIT(CTL_DEVICES), &want, err) < 0) return -1;
        const struct cgroup_group *g = cgroup_group_of(cg, CGROUP_DEVICES);
        if (g && allow_v1(g, list, count) < 0)
            cgroup_control_off(cg, CGROUP_DEVICES, "%s/devices.allow: %s", g->path,
                               strerror(errno));
        return 0;
    }
    cgroup_control_off(cg, CGROUP_DEVICES,
                       "no program can be attached (%s), and there is no v1 list", why);
    return 0;
}

int cgroup_devices(struct cgroup *cg, const struct cgroup_device *list, size_t count,
                   struct error *err) {
    char why[160] = "no group";
    const struct cgroup_group *g = cgroup_unified_of(cg);
    if (count > MOST) return error_set(err, ERROR_LIMIT, "more than %d devices", MOST);
    if (weaken("cgroup")) return 0;
    if (g && attach_list(g, list, count) == 0) {
        cg->at = (size_t)(g - cg->groups);
        cgroup_control_on(cg, CGROUP_DEVICES, "a program of the control group (v2)");
        return 0;
    }
    if (g) snprintf(why, sizeof why, "%s: %s", g->path, strerror(errno));
    return list_v1(cg, list, count, why, err);
}
