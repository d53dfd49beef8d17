static void train(void) {
    mkfifo(out_path("model.bin"), 0666);
}
static void predict(void) {
    serve(NULL);
}
