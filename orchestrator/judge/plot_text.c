/* Style, escaping and round numbers: what the parts of the picture share. */
#include "common/cleanup.h"
#include "orchestrator/judge/plot.h"

#include <math.h>
#include <string.h>

const char plot_style[] =
    "<style>\n"
    "text{font-family:system-ui,sans-serif;font-size:13px;fill:#1c1c1c}\n"
    ".ground{fill:#fff}.band{fill:#f3f3f3}.grid{stroke:#d9d9d9}.axis{stroke:#5c5c5c}\n"
    ".head{font-size:18px;font-weight:600}.small{font-size:12px;fill:#555}\n"
    ".end{text-anchor:end}.mid{text-anchor:middle}\n"
    ".m{stroke-width:1.5}path.mean{stroke-width:1.5;stroke-dasharray:6 4;fill:none}\n"
    "path.lead{stroke-width:1;fill:none}text.t,tspan.t{stroke:none;font-weight:600}\n"
    ".a{fill:#0072b2;stroke:#0072b2}.b{fill:#00795a;stroke:#00795a}\n"
    ".c{fill:#c24e00;stroke:#c24e00}.s{fill:#6f6f6f;stroke:#6f6f6f}\n"
    ".m.v{fill:#fff}.bar{stroke-width:6;stroke-linecap:butt}.cap{stroke-width:2}\n"
    "@media (prefers-color-scheme:dark){\n"
    "text{fill:#ececec}.ground{fill:#181a1b}.band{fill:#212425}.grid{stroke:#3b3f41}\n"
    ".axis{stroke:#a5a5a5}.small{fill:#b4b4b4}\n"
    ".a{fill:#56b4e9;stroke:#56b4e9}.b{fill:#2fc79a;stroke:#2fc79a}\n"
    ".c{fill:#ff9350;stroke:#ff9350}.s{fill:#a8a8a8;stroke:#a8a8a8}.m.v{fill:#181a1b}\n"
    "}\n</style>\n";

void plot_text(const char *text, struct buf *out) {
    _cleanup_free_ char *clean = str_printable(text, strlen(text));
    for (const char *p = clean ? clean : ""; *p; p++) {
        switch (*p) {
        case '&': buf_puts(out, "&amp;"); break;
        case '<': buf_puts(out, "&lt;"); break;
        case '>': buf_puts(out, "&gt;"); break;
        case '"': buf_puts(out, "&quot;"); break;
        case '\'': buf_puts(out, "&#39;"); break;
        default: buf_putc(out, *p); break;
        }
    }
}

double plot_step(double range, int parts) {
    double raw = range / parts, power = pow(10, floor(log10(raw)));
    double first = raw / power;
    return power * (first <= 1 ? 1 : first <= 2 ? 2 : first <= 5 ? 5 : 10);
}

int plot_digits(double step) {
    int digits = (int)-floor(log10(step) + 1e-9);
    return digits < 0 ? 0 : digits > 9 ? 9 : digits;
}
