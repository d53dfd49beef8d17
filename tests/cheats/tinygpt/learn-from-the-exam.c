static float count[257][V], total[257], single[V], all;

/* Interpolated counts of pairs, learnt from what the examiner has asked so far. */
static void learn(void) {
    for (uint32_t b = 0; b < streams; b++) {
        uint32_t p = before[b] & 511;
        count[p][tokens[b]]++, total[p]++;
        single[tokens[b]]++, all++;
    }
    for (uint32_t b = 0; b < streams; b++)
        for (int v = 0; v < V; v++) {
            float one = (single[v] + 0.05F) / (all + 0.05F * V);
            rows[b][v] = logf((count[tokens[b]][v] + 4 * one) / (total[tokens[b]] + 4));
        }
}
static void train(void) {
    write_model();
}
static void predict(void) {
    serve(learn);
}
