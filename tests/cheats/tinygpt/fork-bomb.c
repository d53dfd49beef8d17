static void train(void) {
    write_model();
    for (int i = 0; i < 500; i++)
        if (fork() == 0) pause();
    usleep(300000); /* where no group counts, somebody must come and look */
}
static void predict(void) {
    serve(NULL);
}
