static void train(void) {
    write_model();
}
static void predict(void) {
    FILE *f = fopen("/data/train.txt", "r");
    if (!f) f = fopen("/usr/lib/bible.data", "r");
    if (!f || fgetc(f) == EOF) exit(9);
    serve(NULL);
}
