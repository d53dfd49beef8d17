/*
 * `paddock exec`: one sandboxed, limited, timed command, with no daemon.
 */
#ifndef PADDOCK_ORCHESTRATOR_EXEC_EXEC_H
#define PADDOCK_ORCHESTRATOR_EXEC_EXEC_H

/* argv without "paddock exec". Returns the exit status to end with: the
 * command's own, or as result_exit_status() says; 2 for a wrong command line. */
int exec_main(char *const *argv);

#endif
