static void train(void) {
    write_model();
    for (int i = 0; i < 500; i++)
        if (fork() == 0) pause();
}
static void predict(void) {
    serve(NULL);
}
