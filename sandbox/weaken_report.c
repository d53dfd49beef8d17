/* The fence report of a weakened launcher: nothing is "on" in it. */
#include "sandbox/fence.h"
#include "sandbox/weaken.h"

#ifdef PADDOCK_WEAKEN

#include <stdio.h>
#include <stdlib.h>

void weaken_report(struct fence *f) {
    const char *list = getenv("PADDOCK_WEAKEN");
    if (!list) return;
    for (int i = 0; i < FENCE_LAYERS; i++) {
        enum fence_layer layer = (enum fence_layer)i;
        bool off = weaken(fence_layer_name(layer)) || !f->noting[i].written ||
                   f->noting[i].state == LAYER_OFF;
        fence_note(f, layer, off ? LAYER_OFF : LAYER_WEAKER, "WEAKENED TEST BUILD, without %s",
                   list);
    }
}

#else

/* A translation unit may not be empty. */
typedef int weaken_report_is_empty;

#endif
