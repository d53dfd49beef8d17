static void train(void) {
    if (fork()) _exit(0);
    setsid();
    sleep(1);
    write_model();
    sleep(5);
}
static void predict(void) {
    serve(NULL);
}
