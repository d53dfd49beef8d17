/*
 * Which commit HEAD of a clone names, from its own files alone: HEAD, the reference it
 * names, packed-refs. libgit2 would read the clone's configuration first, and follow
 * what that includes to any file of the machine. Inside tasks/import/ only.
 */
#ifndef PADDOCK_TASKS_IMPORT_CLONE_HEAD_H
#define PADDOCK_TASKS_IMPORT_CLONE_HEAD_H

#include "common/error.h"

enum { CLONE_ID_HEX = 40 };

/* `git_fd` is the folder that holds HEAD. Nothing but its regular files is read, through
 * no link. */
int clone_head(int git_fd, char id[CLONE_ID_HEX + 1], struct error *err);

#endif
