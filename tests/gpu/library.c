/* A library that stands in for one of the driver's, for the tests that look at files. */
int paddock_stand_in(void);
int paddock_stand_in(void) {
    return 1;
}
