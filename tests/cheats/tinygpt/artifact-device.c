static void train(void) {
    mknod(out_path("model.bin"), S_IFCHR | 0666, 1 * 256 + 5);
}
static void predict(void) {
    serve(NULL);
}
