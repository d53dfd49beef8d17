static void train(void) {
    char path[4096];
    snprintf(path, sizeof path, "%s", out_path("model.bin"));
    for (int i = 0; i < 400 && mkdir(path, 0755) == 0; i++) strcat(path, "/d");
}
static void predict(void) {
    serve(NULL);
}
