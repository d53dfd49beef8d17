int main(void) {
    if (symlink("/examine/verify.c", answer("answer.txt"))) {
    }
    return 0;
}
