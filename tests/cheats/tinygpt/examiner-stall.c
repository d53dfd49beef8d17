static void train(void) {
    write_model();
}
static void predict(void) {
    sleep(1000);
}
