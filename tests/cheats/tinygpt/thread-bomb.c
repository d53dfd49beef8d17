static void train(void) {
    write_model();
    pthread_t id;
    for (int i = 0; i < 500; i++) pthread_create(&id, NULL, (void *(*)(void *))pause, NULL);
}
static void predict(void) {
    serve(NULL);
}
