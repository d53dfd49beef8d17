static void train(void) {
    write_model();
}
static void predict(void) {
    for (int i = 0; i < 400000; i++) fputs("0123456789", stderr);
    serve(NULL);
}
