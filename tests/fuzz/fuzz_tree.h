/*
 * A hostile tree out of fuzz bytes: what a sandbox may leave in its workspace.
 */
#ifndef PADDOCK_TESTS_FUZZ_FUZZ_TREE_H
#define PADDOCK_TESTS_FUZZ_FUZZ_TREE_H

#include "tests/fuzz/fuzz.h"

/* Does what the bytes say below dirfd, at most FUZZ_TREE_STEPS things: folders,
 * files (sparse and unreadable ones too), links of both kinds, fifos, sockets,
 * devices, odd and long names, depth. What fails is passed over. */
#define FUZZ_TREE_STEPS 48
void fuzz_tree_build(int dirfd, struct fuzz_input *in);

/* What is there really, found without the code under test. */
struct fuzz_tree_count {
    uint64_t files, folders, links, others;
    uint64_t bytes; /* apparent, of all files */
};
void fuzz_tree_count(int dirfd, struct fuzz_tree_count *out);

#endif
