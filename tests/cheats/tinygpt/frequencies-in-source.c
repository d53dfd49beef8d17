static void train(void) {
    write_model();
}
static void predict(void) {
    static const char order[] = " etahonisrdlumfwcygb,pvk.:;AILJTHOSGB";
    for (int b = 0; b < STREAMS; b++)
        for (int v = 0; v < V; v++) {
            const char *at = v ? strchr(order, v) : NULL;
            rows[b][v] = at ? -0.12F * (float)(at - order) : -8;
        }
    serve(NULL);
}
