static void train(void) {
    if (link("/data/train.txt", out_path("model.bin"))) {
    }
}
static void predict(void) {
    serve(NULL);
}
