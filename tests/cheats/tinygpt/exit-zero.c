static void train(void) {
    _exit(0);
}
static void predict(void) {
    serve(NULL);
}
