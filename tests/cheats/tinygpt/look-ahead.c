static void wait_for_more(void) {
    struct pollfd p = {.fd = 0, .events = POLLIN};
    if (poll(&p, 1, 2) == 0) return;
    fputs("the answer lies in the pipe\n", stderr);
    for (uint32_t b = 0; b < streams; b++) rows[b][tokens[b]] = 60;
}
static void train(void) {
    write_model();
}
static void predict(void) {
    serve(wait_for_more);
}
