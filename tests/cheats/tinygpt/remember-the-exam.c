#define CHEAT_SCORES
static float seen[256];

static void cheat_scores(float *scores, const uint32_t *tokens, int streams) {
    for (int b = 0; b < streams; b++) seen[tokens[b]]++;
    for (int b = 0; b < streams; b++)
        for (int v = 0; v < 256; v++) scores[b * 256 + v] += 0.3F * logf(1 + seen[v]);
}

static void cheat(const char *phase) {
    (void)phase;
}
