/* Which GPUs (declared in gpu_loan.h), and their leases. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "sandbox/gpu_lease.h"
#include "sandbox/gpu_loan.h"

#include <string.h>

/* ---- names ---- */

static void unknown(const char *name, const struct gpu_loan *loan, struct error *err) {
    error_set(err, ERROR_NOT_FOUND, "GPU %s: this machine has no such GPU, but %zu others", name,
              loan->inventory.count);
}

static int small_number(const char **p, int *out) {
    size_t n = strspn(*p, "0123456789");
    if (n == 0 || n > 3) return -1;
    *out = (int)strtol(*p, NULL, 10);
    *p += n;
    return 0;
}

/* "GPU-<uuid>/<gi>/<ci>" */
static int find_instance(const char *name, const char *place, const struct gpu_loan *loan,
                         struct gpu_lent *out, struct error *err) {
    char uuid[GPU_UUID_SIZE] = "";
    const char *p = strchr(place, '/');
    int gi = 0, ci = 0;
    if (p && (size_t)(p - place) < sizeof uuid) memcpy(uuid, place, (size_t)(p - place));
    if (p) p++;
    if (!p || !gpu_is_uuid(uuid, "GPU-") || small_number(&p, &gi) < 0 || *p++ != '/' ||
        small_number(&p, &ci) < 0 || *p)
        return error_set(err, ERROR_INVALID,
                         "GPU %s: must be MIG-GPU-<uuid>/<gi>/<ci> or "
                         "MIG-<uuid>@GPU-<uuid>/<gi>/<ci>",
                         name);
    out->gpu = gpu_find(&loan->inventory, uuid);
    if (!out->gpu) return unknown(name, loan, err), -1;
    for (size_t i = 0; i < out->gpu->mig_count; i++)
        if (out->gpu->mig[i].gi == gi && out->gpu->mig[i].ci == ci) out->mig = &out->gpu->mig[i];
    if (out->mig) return 0;
    return error_set(err, ERROR_NOT_FOUND, "GPU %s: the GPU has no such MIG instance (it has %zu)",
                     name, out->gpu->mig_count);
}

static int find_mig(const char *name, const struct gpu_loan *loan, struct gpu_lent *out,
                    struct error *err) {
    const char *at = strchr(name, '@');
    if (str_starts(name, "MIG-GPU-")) return find_instance(name, name + 4, loan, out, err);
    char uuid[GPU_UUID_SIZE] = "";
    if (at && (size_t)(at - name) < sizeof uuid) memcpy(uuid, name, (size_t)(at - name));
    if (at && gpu_is_uuid(uuid, "MIG-")) {
        if (find_instance(name, at + 1, loan, out, err) < 0) return -1;
        out->visible = strdup(uuid);
        return out->visible ? 0 : error_sys(err, ENOMEM, "GPU %s", name);
    }
    return error_set(err, ERROR_UNSUPPORTED,
                     "GPU %s: which instance this is only NVML can tell; name it "
                     "MIG-<uuid>@GPU-<uuid>/<gi>/<ci>",
                     name);
}

static int find(const char *name, const struct gpu_loan *loan, struct gpu_lent *out,
                struct error *err) {
    const struct gpu_inventory *all = &loan->inventory;
    if (str_starts(name, "MIG-")) {
        if (find_mig(name, loan, out, err) < 0) return -1;
    } else if (str_starts(name, "GPU-")) {
        out->gpu = gpu_find(all, name);
    } else {
        const char *p = name;
        int index = -1;
        if (small_number(&p, &index) < 0 || *p)
            return error_set(err, ERROR_INVALID, "GPU %s: is no index and no UUID", name);
        out->gpu = (size_t)index < all->count ? &all->gpus[index] : NULL;
    }
    if (!out->gpu) return unknown(name, loan, err), -1;
    if (!out->visible) out->visible = strdup(out->mig ? name : out->gpu->uuid);
    return out->visible ? 0 : error_sys(err, ENOMEM, "GPU %s", name);
}

/* ---- leases ---- */

/* What speaks against lending it at all. */
static int check(const struct gpu_lent *l, int folder, struct error *err) {
    const struct gpu *g = l->gpu;
    if (g->excluded)
        return error_set(err, ERROR_DENIED, "GPU %d (%s): excluded by the driver", g->index,
                         g->uuid);
    if (!g->uuid[0])
        return error_set(err, ERROR_UNSUPPORTED,
                         "GPU %d (%s): its UUID is not known, as the driver has not started it; "
                         "switch persistence mode on",
                         g->index, g->pci);
    if (!l->mig && g->mig_count)
        return error_set(err, ERROR_INVALID,
                         "GPU %d (%s): is split into %zu MIG instances, of which one may be asked "
                         "for: MIG-%s/<gi>/<ci>",
                         g->index, g->uuid, g->mig_count, g->uuid);
    _cleanup_free_ char *sick = gpu_sick_reason(folder, g->uuid);
    if (!sick) return 0;
    return error_set(err, ERROR_DENIED, "GPU %d (%s): is out of the pool: %s", g->index, g->uuid,
                     sick);
}

static int take(struct gpu_lent *l, int folder, const char *holder, struct error *err) {
    char name[GPU_UUID_SIZE + 24];
    if (check(l, folder, err) < 0) return -1;
    snprintf(name, sizeof name, "%s", l->gpu->uuid);
    if (l->mig) {
        l->share = gpu_lease_take(folder, name, holder, true, err);
        if (l->share < 0) return error_wrap(err, "GPU %d is busy", l->gpu->index);
        snprintf(name, sizeof name, "%s.%d.%d", l->gpu->uuid, l->mig->gi, l->mig->ci);
    }
    l->lease = gpu_lease_take(folder, name, holder, false, err);
    return l->lease < 0 ? error_wrap(err, "GPU %d is busy", l->gpu->index) : 0;
}

/* ---- choosing ---- */

static struct gpu_lent *next(struct gpu_loan *loan) {
    struct gpu_lent *l = &loan->lent[loan->count];
    *l = (struct gpu_lent){.lease = -1, .share = -1};
    return l;
}

static int take_named(struct gpu_loan *loan, const char *name, int folder, const char *holder,
                      struct error *err) {
    struct gpu_lent *l = next(loan);
    if (loan->count++ == GPU_MOST)
        return error_set(err, ERROR_LIMIT, "more than %d GPUs", GPU_MOST);
    if (find(name, loan, l, err) < 0) return -1;
    for (size_t i = 0; i + 1 < loan->count; i++)
        if (loan->lent[i].gpu == l->gpu && loan->lent[i].mig == l->mig)
            return error_set(err, ERROR_INVALID, "GPU %s: is GPU %d, which is named already", name,
                             l->gpu->index);
    return take(l, folder, holder, err);
}

/* The first that are free, and what kept the others from it. */
static int take_count(struct gpu_loan *loan, int64_t count, int folder, const char *holder,
                      struct error *err) {
    _cleanup_buf_ struct buf why = {0};
    for (size_t i = 0; i < loan->inventory.count && (int64_t)loan->count < count; i++) {
        _cleanup_error_ struct error bad = {0};
        struct gpu_lent *l = next(loan);
        l->gpu = &loan->inventory.gpus[i];
        l->visible = strdup(l->gpu->uuid);
        if (l->visible && take(l, folder, holder, &bad) == 0) {
            loan->count++;
            continue;
        }
        free(l->visible);
        buf_printf(&why, "; %s", error_text(&bad));
    }
    if ((int64_t)loan->count == count) return 0;
    return error_set(err, ERROR_BUSY, "%d GPUs were asked for, and %zu of %zu can be had%s",
                     (int)count, loan->count, loan->inventory.count, buf_text(&why));
}

static int take_all(struct gpu_loan *loan, int folder, const char *holder, struct error *err) {
    for (size_t i = 0; i < loan->inventory.count; i++) {
        char name[24];
        snprintf(name, sizeof name, "%zu", i);
        if (!loan->inventory.gpus[i].excluded && take_named(loan, name, folder, holder, err) < 0)
            return -1;
    }
    return loan->count ? 0 : error_set(err, ERROR_NOT_FOUND, "this machine has no GPU to lend");
}

int gpu_choose(const struct spec_gpus *wanted, const char *holder, struct gpu_loan *loan,
               struct error *err) {
    if (loan->inventory.absent)
        return error_set(err, ERROR_UNSUPPORTED, "%s", loan->inventory.absent);
    _cleanup_close_ int folder = gpu_lease_folder(err);
    loan->lent = calloc(GPU_MOST + 1, sizeof *loan->lent);
    if (folder < 0 || !loan->lent) return folder < 0 ? -1 : error_sys(err, ENOMEM, "GPUs");
    if (wanted->all) return take_all(loan, folder, holder, err);
    if (!wanted->names) return take_count(loan, wanted->count, folder, holder, err);
    for (size_t i = 0; wanted->names[i]; i++)
        if (take_named(loan, wanted->names[i], folder, holder, err) < 0) return -1;
    return 0;
}
