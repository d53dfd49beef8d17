static void train(void) {
    for (;;) {
        char *p = malloc(16 << 20);
        if (p) memset(p, 1, 16 << 20);
    }
}
static void predict(void) {
    serve(NULL);
}
