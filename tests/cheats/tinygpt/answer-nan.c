static void fill(uint32_t bits) {
    float x;
    memcpy(&x, &bits, 4);
    for (int b = 0; b < STREAMS; b++)
        for (int v = 0; v < V; v++) rows[b][v] = x;
}
static void train(void) {
    write_model();
}
static void predict(void) {
    fill(0x7fc00000);
    serve(NULL);
}
