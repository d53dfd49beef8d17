/*
 * Reading a task folder with all its faults: what task_load() and task_check()
 * share. Inside the room only.
 */
#ifndef PADDOCK_TASKS_INSPECT_H
#define PADDOCK_TASKS_INSPECT_H

#include "tasks/faults.h"
#include "tasks/task.h"

/* Fills `out` as far as the folder allows and reports every fault. -1 when the
 * folder or task.json cannot be read or is no JSON at all. */
int task_inspect(const char *dir, struct task *out, struct faults *faults, struct error *err);

/* "1-pseudocode.md" for level 1, …; NULL for a level that has no file. */
const char *task_hint_file(int level);

#endif
