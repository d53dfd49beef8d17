/*
 * Whether a file is a shared library that this machine's loader could map: the head and
 * the segments alone, which tell a whole library from a stub of text, a program of
 * another machine, and a file that was cut off.
 */
#ifndef PADDOCK_SANDBOX_GPU_ELF_H
#define PADDOCK_SANDBOX_GPU_ELF_H

#include "common/error.h"

#include <stdint.h>

/* `fd` can be read; `size` is the file's. `name` opens each error (ERROR_INVALID). */
int gpu_elf_check(const char *name, int fd, uint64_t size, struct error *err);

#endif
