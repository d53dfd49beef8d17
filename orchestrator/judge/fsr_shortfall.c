/* What a measurement lacks, as a sentence (declared in fsr.h). */
#include "orchestrator/judge/fsr.h"

#include "common/buf.h"
#include "common/cleanup.h"

#define MINUTE 60.0
#define HOUR   3600.0
#define DAY    86400.0

/* "about 40 s", "about 22 min", "about 3.5 h", "about 12 days" */
static void put_about(double seconds, struct buf *out) {
    if (seconds < 1.5 * MINUTE) buf_printf(out, "about %.0f s", seconds);
    else if (seconds < 1.5 * HOUR) buf_printf(out, "about %.0f min", seconds / MINUTE);
    else if (seconds < 2 * DAY) buf_printf(out, "about %.1f h", seconds / HOUR);
    else buf_printf(out, "about %.0f days", seconds / DAY);
}

static void put_needed(const struct fsr_interval *i, double half_width, double block_s,
                       struct buf *out) {
    double blocks = fsr_blocks_needed(i, fsr_half_width_wanted(half_width));
    if (!(blocks > 0)) {
        buf_puts(out, "it would need more than 10000 blocks");
        return;
    }
    buf_printf(out, "it would need about %.0f blocks", blocks);
    if (!(block_s > 0)) return;
    buf_puts(out, " (");
    put_about(blocks * block_s, out);
    buf_puts(out, ")");
}

char *fsr_shortfall(const struct fsr_interval *i, double half_width, double block_s) {
    _cleanup_buf_ struct buf out = {0};
    switch (fsr_classify(i)) {
    case FSR_NO_RESOLUTION:
        if (!(i->gap > 0)) {
            buf_printf(&out,
                       "whether there is a gap cannot be resolved on this machine at this budget:"
                       " %.3g s, anything from %.3g to %.3g",
                       i->gap, i->gap_low, i->gap_high);
            break;
        }
        buf_printf(
            &out, "this gap of %.3g s cannot be resolved on this machine at this budget: ", i->gap);
        put_needed(i, half_width, block_s, &out);
        break;
    case FSR_SCORED_WIDE:
        buf_printf(&out, "the interval is ±%.3g after %zu blocks; for ±%.3g ", fsr_half_width(i),
                   i->blocks, fsr_half_width_wanted(half_width));
        put_needed(i, half_width, block_s, &out);
        break;
    default: return NULL;
    }
    return buf_steal(&out);
}
