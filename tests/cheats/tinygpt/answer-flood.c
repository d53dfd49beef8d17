static void train(void) {
    write_model();
}
static void predict(void) {
    static char page[1 << 16];
    memset(page, 255, sizeof page);
    for (int i = 0; i < 10000; i++)
        if (write(1, page, sizeof page) < 0) return;
}
