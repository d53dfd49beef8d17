/*
 * Sets of cpus (or memory nodes) in the kernel's list format: "0-1,4". The empty
 * text is the empty set.
 */
#ifndef PADDOCK_COMMON_CPU_LIST_H
#define PADDOCK_COMMON_CPU_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CPU_LIST_MAX = 4096 };

struct cpu_list {
    uint64_t bits[CPU_LIST_MAX / 64];
};

/* Blanks and a newline at the end are allowed, as the kernel writes them. 0, or -1
 * when the text is no list or names a cpu beyond CPU_LIST_MAX; *out is then empty. */
int cpu_list_parse(const char *text, struct cpu_list *out);
/* In the shortest form, in fresh memory; NULL when out of memory. */
char *cpu_list_format(const struct cpu_list *l);

void cpu_list_add(struct cpu_list *l, unsigned cpu);
bool cpu_list_has(const struct cpu_list *l, unsigned cpu);
size_t cpu_list_count(const struct cpu_list *l);
/* The smallest member at or above `from`; -1: none. */
int cpu_list_next(const struct cpu_list *l, unsigned from);
bool cpu_list_overlaps(const struct cpu_list *a, const struct cpu_list *b);
/* Adds `other`, or takes it away. */
void cpu_list_join(struct cpu_list *l, const struct cpu_list *other);
void cpu_list_remove(struct cpu_list *l, const struct cpu_list *other);

#endif
