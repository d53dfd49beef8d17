/*
 * What an experiment's ledger shows: its calls of models as a table, one call whole,
 * all of them as a cassette.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_LEDGER_H
#define PADDOCK_ORCHESTRATOR_CLIENT_LEDGER_H

#include "orchestrator/client/cli.h"

/* `paddock show e1 --calls`: every call without its texts, and what all of them cost. */
int ledger_show(struct cli *cli, const char *experiment, struct error *err);
/* `paddock show e1 --call N`: one call with its prompt and reply. What a model wrote is
 * shown with control characters as \xNN. */
int ledger_show_call(struct cli *cli, const char *experiment, int64_t number, struct error *err);
/* `paddock export e1 --cassette`: one line a call, oldest first, as `replay:FILE` reads
 * them. *calls: how many. */
int ledger_export(struct cli *cli, const char *experiment, int fd, int64_t *calls,
                  struct error *err);

#endif
