#include "tests/bench/launch_steps.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_STEPS = 64 };

struct step_row {
    char name[96]; /* actor and text */
    double *at;    /* µs, as many as count */
    int count;
    double median;
};

struct step_table {
    struct step_row rows[MOST_STEPS];
    size_t count;
    int runs;
};

static struct step_row *row_of(struct step_table *t, const char *actor, const char *text) {
    char name[96];
    snprintf(name, sizeof name, "%-9s %s", actor, text);
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->rows[i].name, name) == 0) return &t->rows[i];
    if (t->count == MOST_STEPS) return NULL;
    struct step_row *r = &t->rows[t->count++];
    snprintf(r->name, sizeof r->name, "%s", name);
    r->at = calloc((size_t)t->runs, sizeof *r->at);
    return r;
}

/* "<actor>\t<ns since the first>\t<text>" a line. */
static void add_profile(struct step_table *t, char *text) {
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *number = strchr(line, '\t');
        char *what = number ? strchr(number + 1, '\t') : NULL;
        if (!what) continue;
        *number++ = *what++ = '\0';
        struct step_row *r = row_of(t, line, what);
        if (r && r->at && r->count < t->runs) r->at[r->count++] = strtod(number, NULL) / 1e3;
    }
}

static int by_median(const void *a, const void *b) {
    const struct step_row *x = a, *y = b;
    return (x->median > y->median) - (x->median < y->median);
}

static void print_table(struct step_table *t) {
    for (size_t i = 0; i < t->count; i++) {
        bench_sort(t->rows[i].at, t->rows[i].count);
        t->rows[i].median = bench_quantile(t->rows[i].at, t->rows[i].count, 0.5);
    }
    qsort(t->rows, t->count, sizeof t->rows[0], by_median);
    printf("median of %d launches; µs since the first stamp, and since the same process's last\n",
           t->runs);
    for (size_t i = 0; i < t->count; i++) {
        const struct step_row *r = &t->rows[i];
        double before = 0;
        for (size_t j = 0; j < i; j++)
            if (strncmp(t->rows[j].name, r->name, 9) == 0) before = t->rows[j].median;
        printf("%8.0f %+8.0f  %s\n", r->median, r->median - before, r->name);
        free(r->at);
    }
}

int launch_steps(struct bench *b, const char *launcher, const char *spec) {
    _cleanup_free_ char *profile = path_join(b->dir, "steps");
    struct step_table table = {.runs = b->runs};
    struct bench_tool tool = {.name = "paddock-sandbox"};
    bench_set_args(&tool, (const char *[]){launcher, "run", spec, "--dir", b->run_dir, "--steps",
                                           profile, NULL});
    for (int i = -BENCH_WARMUP; i < b->runs; i++) {
        _cleanup_buf_ struct buf text = {0};
        bench_wait_for_quiet();
        if (isnan(bench_launch(&tool, b)) || file_read(profile, 1 << 20, &text, NULL) < 0) {
            fprintf(stderr, "bench: paddock-sandbox does not run on this machine\n");
            return 1;
        }
        if (i >= 0) add_profile(&table, text.data);
    }
    print_table(&table);
    return 0;
}
