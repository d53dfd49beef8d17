static void *reader(void *arg) {
    FILE *f = fopen("/data/train.txt", "r");
    while (f && fgetc(f) != EOF) {
    }
    if (f) fclose(f);
    return arg;
}

static void cheat(const char *phase) {
    pthread_t id[4];
    if (strcmp(phase, "train")) return;
    for (int i = 0; i < 4; i++) pthread_create(&id[i], NULL, reader, NULL);
    for (int i = 0; i < 4; i++) pthread_join(id[i], NULL);
}
