/*
 * task.json → struct task, field by field from tables. Inside the room only.
 */
#ifndef PADDOCK_TASKS_DECODE_H
#define PADDOCK_TASKS_DECODE_H

#include "common/json.h"
#include "tasks/faults.h"
#include "tasks/task.h"

/* Reads the document into `t` and reports every fault that the document alone
 * can tell. */
void task_decode(const struct json *doc, struct task *t, struct faults *faults);

#endif
