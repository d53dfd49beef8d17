static void train(void) {
    write_model();
    raise(SIGSEGV);
}
static void predict(void) {
    serve(NULL);
}
