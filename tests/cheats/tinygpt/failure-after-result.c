static void train(void) {
    write_model();
    exit(3);
}
static void predict(void) {
    serve(NULL);
}
