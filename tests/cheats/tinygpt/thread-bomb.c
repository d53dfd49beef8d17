static void train(void) {
    write_model();
    pthread_t id;
    for (int i = 0; i < 500; i++) pthread_create(&id, NULL, (void *(*)(void *))pause, NULL);
    usleep(300000); /* where no group counts, somebody must come and look */
}
static void predict(void) {
    serve(NULL);
}
