/*
 * Switching single layers of the fence off, to see what each of them alone stops
 * (./dev escape --without LAYER). Only a test build can (PADDOCK_WEAKEN=ON): in
 * every other one the questions below are constants, the code behind them is
 * gone, and a launcher that is asked to be weaker refuses to run.
 *
 * The environment's PADDOCK_WEAKEN names the layers, with commas between.
 */
#ifndef PADDOCK_SANDBOX_WEAKEN_H
#define PADDOCK_SANDBOX_WEAKEN_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

struct fence;

/* An error when the environment asks for what this build cannot do, or names no
 * layer. Says so on stderr when it is weaker. */
int weaken_check(struct error *err);

#ifdef PADDOCK_WEAKEN
bool weaken(const char *layer);
/* What is left out: CLONE_NEW* flags, and attributes of mounts. */
uint64_t weaken_namespaces(void);
uint64_t weaken_attributes(void);
/* Hands all capabilities of this process on through exec. */
int weaken_keep_capabilities(struct error *err);
/* Takes every layer's "on" back in the fence report. */
void weaken_report(struct fence *f);
#else
static inline bool weaken(const char *layer) {
    (void)layer;
    return false;
}
static inline uint64_t weaken_namespaces(void) {
    return 0;
}
static inline uint64_t weaken_attributes(void) {
    return 0;
}
static inline int weaken_keep_capabilities(struct error *err) {
    (void)err;
    return 0;
}
static inline void weaken_report(struct fence *f) {
    (void)f;
}
#endif

#endif
