/*
 * The launcher's own files in the run folder: launcher.json, which tells who runs
 * here, and result.json, whose presence means that the run is over.
 */
#ifndef PADDOCK_SANDBOX_RUN_FOLDER_H
#define PADDOCK_SANDBOX_RUN_FOLDER_H

#include "common/error.h"
#include "sandbox/result.h"

#include <stdbool.h>

/* Removes what an earlier run left and writes launcher.json: from then on the
 * folder's result is ours. */
int run_folder_claim(int dir_fd, struct error *err);
/* Writes result.json, whole or not at all, where there is a folder (dir_fd ≥ 0),
 * and prints the document on stdout when asked to. */
int run_folder_deliver(const struct result *r, int dir_fd, bool print, struct error *err);

#endif
