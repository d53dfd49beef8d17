/*
 * The verdict on a version and its evidence: score.json from the daemon, as a
 * page of text.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_VERDICT_H
#define PADDOCK_ORCHESTRATOR_CLIENT_VERDICT_H

#include "orchestrator/client/cli.h"
#include "orchestrator/judge/score.h"

/* `paddock show --verdict VERSION`: by its options the page, the document, or
 * the picture. */
int verdict_show(struct cli *cli, const struct args *args, struct error *err);

/* The page (verdict_page.c). */
int verdict_page(const struct score *s, bool colour, struct buf *out, struct error *err);

#endif
