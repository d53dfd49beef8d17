static void train(void) {
    static char page[1 << 20];
    FILE *f = fopen(out_path("model.bin"), "w");
    for (int i = 0; f && i < 70; i++) fwrite(page, sizeof page, 1, f);
    if (f) fclose(f);
}
static void predict(void) {
    serve(NULL);
}
