#include "orchestrator/judge/board.h"

#include <stdlib.h>

static int by_low(const void *a, const void *b) {
    const struct board_entry *x = a, *y = b;
    if (x->low != y->low) return x->low > y->low ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

void board_rank(struct board_entry *entries, size_t count) {
    if (count > 0) qsort(entries, count, sizeof *entries, by_low);
    for (size_t i = 0, first = 0; i < count; i++) {
        if (entries[i].high < entries[first].low) first = i;
        entries[i].rank = first + 1;
        entries[i].tied = i > first;
        if (i > first) entries[first].tied = true;
    }
}
