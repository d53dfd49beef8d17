/*
 * The log: one line an event on stderr, "<level> <program>: text". The only
 * global state of Paddock. Levels: debug, info, warn, error; PADDOCK_LOG sets
 * the least one shown (default warn).
 */
#ifndef PADDOCK_COMMON_LOG_H
#define PADDOCK_COMMON_LOG_H

#include "common/error.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* `program` must outlive the process. Reads PADDOCK_LOG. */
void log_init(const char *program, enum log_level least);
void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
