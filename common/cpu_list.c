#include "common/cpu_list.h"

#include "common/buf.h"
#include "common/cleanup.h"

#include <ctype.h>
#include <string.h>

void cpu_list_add(struct cpu_list *l, unsigned cpu) {
    if (cpu < CPU_LIST_MAX) l->bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}

bool cpu_list_has(const struct cpu_list *l, unsigned cpu) {
    return cpu < CPU_LIST_MAX && l->bits[cpu / 64] >> (cpu % 64) & 1;
}

size_t cpu_list_count(const struct cpu_list *l) {
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(l->bits); i++) n += (size_t)__builtin_popcountll(l->bits[i]);
    return n;
}

int cpu_list_next(const struct cpu_list *l, unsigned from) {
    for (unsigned cpu = from; cpu < CPU_LIST_MAX; cpu++) {
        if (cpu % 64 == 0 && !l->bits[cpu / 64]) cpu += 63;
        else if (cpu_list_has(l, cpu)) return (int)cpu;
    }
    return -1;
}

bool cpu_list_overlaps(const struct cpu_list *a, const struct cpu_list *b) {
    for (size_t i = 0; i < ARRAY_SIZE(a->bits); i++)
        if (a->bits[i] & b->bits[i]) return true;
    return false;
}

void cpu_list_join(struct cpu_list *l, const struct cpu_list *other) {
    for (size_t i = 0; i < ARRAY_SIZE(l->bits); i++) l->bits[i] |= other->bits[i];
}

void cpu_list_remove(struct cpu_list *l, const struct cpu_list *other) {
    for (size_t i = 0; i < ARRAY_SIZE(l->bits); i++) l->bits[i] &= ~other->bits[i];
}

/* The number at *at, which moves behind it; -1: none, or too large. */
static int take_number(const char **at) {
    int value = 0;
    if (!isdigit((unsigned char)**at)) return -1;
    for (; isdigit((unsigned char)**at); ++*at) {
        value = value * 10 + (**at - '0');
        if (value >= CPU_LIST_MAX) return -1;
    }
    return value;
}

/* "4" or "0-1" at *at. */
static int take_range(const char **at, struct cpu_list *out) {
    int first = take_number(at), last = first;
    if (first >= 0 && **at == '-') {
        ++*at;
        last = take_number(at);
    }
    if (first < 0 || last < first) return -1;
    for (int cpu = first; cpu <= last; cpu++) cpu_list_add(out, (unsigned)cpu);
    return 0;
}

int cpu_list_parse(const char *text, struct cpu_list *out) {
    const char *at = text;
    *out = (struct cpu_list){0};
    if (text[strspn(text, " \n")] == '\0') return 0;
    while (take_range(&at, out) == 0) {
        if (at[strspn(at, " \n")] == '\0') return 0;
        if (*at++ != ',') break;
    }
    *out = (struct cpu_list){0};
    return -1;
}

char *cpu_list_format(const struct cpu_list *l) {
    struct buf text = {0};
    for (int cpu = cpu_list_next(l, 0); cpu >= 0;) {
        int last = cpu;
        while (cpu_list_has(l, (unsigned)last + 1)) last++;
        buf_printf(&text, "%s%d", text.len ? "," : "", cpu);
        if (last > cpu) buf_printf(&text, "-%d", last);
        cpu = cpu_list_next(l, (unsigned)last + 1);
    }
    return buf_steal(&text);
}
