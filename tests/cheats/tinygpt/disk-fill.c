static void train(void) {
    static char page[1 << 20];
    int fd = open("fill", O_CREAT | O_WRONLY, 0644);
    while (write(fd, page, sizeof page) > 0) {
    }
    write_model();
}
static void predict(void) {
    serve(NULL);
}
