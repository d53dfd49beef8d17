static void train(void) {
    if (symlink("/etc/passwd", out_path("model.bin"))) {
    }
}
static void predict(void) {
    serve(NULL);
}
