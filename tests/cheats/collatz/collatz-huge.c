int main(void) {
    say("answer.txt", "1000000000000000000000000000000000000000\n");
    return 0;
}
