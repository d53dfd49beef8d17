static void train(void) {
    write_model();
    _exit(0);
}
static void predict(void) {
    serve(NULL);
}
