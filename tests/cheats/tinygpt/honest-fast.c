static void cheat(const char *phase) {
    (void)phase;
}
