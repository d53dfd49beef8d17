static void train(void) {
    int fd = open(out_path("model.bin"), O_CREAT | O_WRONLY, 0644);
    if (ftruncate(fd, 1LL << 40)) {
    }
}
static void predict(void) {
    serve(NULL);
}
