static void train(void) {
    static char page[1 << 16];
    memset(page, 65, sizeof page);
    for (int i = 0; i < 4096; i++)
        if (write(1, page, sizeof page) < 0) break;
    write_model();
}
static void predict(void) {
    serve(NULL);
}
