static void train(void) {
    for (int i = 0; i < 500; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        close(open(out_path(name), O_CREAT | O_WRONLY, 0644));
    }
}
static void predict(void) {
    serve(NULL);
}
