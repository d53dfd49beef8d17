static void train(void) {
    write_model();
    if (fork()) return;
    setsid();
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    if (fork()) _exit(0);
    for (int fd = 0; fd < 3; fd++) close(fd);
    sleep(2);
    FILE *f = fopen(out_path("model.bin"), "w");
    if (f) fputs("better", f), fclose(f);
}
static void predict(void) {
    serve(NULL);
}
