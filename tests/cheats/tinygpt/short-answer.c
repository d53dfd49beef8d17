static void train(void) {
    write_model();
}
static void predict(void) {
    uint32_t op;
    hello();
    get(&op, 4), get(&op, 4), get(tokens, streams * 4);
    fwrite(rows, 1, 100, stdout);
}
