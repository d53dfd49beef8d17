int main(void) {
    FILE *f = fopen(answer("answer.txt"), "w");
    for (int i = 0; f && i < 1 << 20; i++) fputc('9', f);
    if (f) fclose(f);
    return 0;
}
