/*
 * Boards: scored versions in order. How good a version is is known only up to
 * an interval, so the order is by its lower end: what is certainly there. Two
 * versions are tied when the lower one may still be as good as the higher one
 * is for certain: when its interval reaches up to the lower end of the first of
 * its rank. Pure.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_BOARD_H
#define PADDOCK_ORCHESTRATOR_JUDGE_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct board_entry {
    double low, high;
    int64_t id;   /* of equal lower ends the older comes first */
    size_t index; /* the caller's */
    size_t rank;  /* 1 is best; the place of the first of those that share it */
    bool tied;    /* another entry has this rank */
};

/* Sorts, and fills in rank and tied. */
void board_rank(struct board_entry *entries, size_t count);

#endif
