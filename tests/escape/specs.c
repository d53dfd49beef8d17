#include "tests/escape/escape.h"
int specs_run(struct runner *r, struct error *err) {
    (void)r;
    (void)err;
    return 0;
}
