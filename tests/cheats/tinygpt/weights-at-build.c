static void train(void) {
}
static void predict(void) {
    serve(NULL);
}
