/*
 * Collection: taking files out of a sandbox that may have left anything there.
 *
 * Runs in a process of its own, after the last process of the sandbox is dead,
 * walks from a descriptor of the workspace and never resolves a link: regular
 * files and folders are copied, all else is counted as skipped, with the first
 * reason kept. Bytes, files, depth (64), name length and time are capped.
 */
#ifndef PADDOCK_SANDBOX_COLLECT_H
#define PADDOCK_SANDBOX_COLLECT_H

#include "common/error.h"
#include "sandbox/result.h"
#include "sandbox/spec.h"

/* Copies what `entries` name from `workspace_fd` into `<dir_fd>/artifacts`
 * (made here). `userns_fd` ≥ 0 is joined first, so that files of mapped ids can
 * be read. `timeout_ms` bounds the whole of it. out[count] is filled in and
 * owned by the caller. Files are created 0600 or 0700 (if any x bit), owned by
 * us; holes stay holes only within the byte cap on apparent size. */
int collect_run(int workspace_fd, int userns_fd, int dir_fd, const struct spec_collect *entries,
                size_t count, int timeout_ms, struct collected *out, struct error *err);

#endif
