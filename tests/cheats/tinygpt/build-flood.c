static void train(void) {
    write_model();
}
static void predict(void) {
    serve(NULL);
}
