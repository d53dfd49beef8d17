static void train(void) {
    write_model();
    syscall(SYS_init_module, 0, 0, "");
}
static void predict(void) {
    serve(NULL);
}
