#include "orchestrator/gpu/nvml.h"

#include "common/cleanup.h"
#include "orchestrator/gpu/nvml_abi.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define LIBRARY     "libnvidia-ml.so.1"
#define EVENTS_MOST 256 /* taken at one time: a broken GPU must not keep us for ever */

typedef int (*process_call)(nvml_device, unsigned *, struct nvml_process *);

struct nvml {
    void *library;
    bool started;
    nvml_event_set events; /* NULL: none */
    nvml_device devices[READING_GPUS_MOST];
    bool registered[READING_GPUS_MOST];
    int (*init)(void);
    int (*shutdown)(void);
    const char *(*error_string)(int);
    int (*driver_version)(char *, unsigned);
    int (*count)(unsigned *);
    int (*handle)(unsigned, nvml_device *);
    int (*uuid)(nvml_device, char *, unsigned);
    int (*name)(nvml_device, char *, unsigned);
    int (*pci)(nvml_device, struct nvml_pci *);
    int (*minor)(nvml_device, unsigned *);
    int (*memory_v2)(nvml_device, struct nvml_memory_v2 *);
    int (*memory)(nvml_device, struct nvml_memory *);
    int (*mig_mode)(nvml_device, unsigned *, unsigned *);
    int (*mig_max)(nvml_device, unsigned *);
    int (*mig_handle)(nvml_device, unsigned, nvml_device *);
    process_call compute, graphics, mps;
    int (*clock)(nvml_device, int, unsigned *);
    int (*throttle)(nvml_device, unsigned long long *);
    int (*temperature)(nvml_device, int, unsigned *);
    int (*power)(nvml_device, unsigned *);
    int (*energy)(nvml_device, unsigned long long *);
    int (*ecc)(nvml_device, int, int, unsigned long long *);
    int (*remapped)(nvml_device, unsigned *, unsigned *, unsigned *, unsigned *);
    int (*retired_pending)(nvml_device, int *);
    int (*fields)(nvml_device, int, struct nvml_field *);
    int (*set_create)(nvml_event_set *);
    int (*set_free)(nvml_event_set);
    int (*set_register)(nvml_device, unsigned long long, nvml_event_set);
    int (*set_wait)(nvml_event_set, struct nvml_event *, unsigned);
};

/* The newest first; the older ones take and give the same. */
static const struct symbol {
    size_t offset;
    bool needed;
    const char *names[3];
} symbols[] = {
#define SYMBOL(member, needed, ...)              \
    {                                            \
        offsetof(struct nvml, member), needed, { \
            __VA_ARGS__                          \
        }                                        \
    }
    SYMBOL(init, true, "nvmlInit_v2", "nvmlInit"),
    SYMBOL(count, true, "nvmlDeviceGetCount_v2", "nvmlDeviceGetCount"),
    SYMBOL(handle, true, "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex"),
    SYMBOL(uuid, true, "nvmlDeviceGetUUID"),
    SYMBOL(shutdown, false, "nvmlShutdown"),
    SYMBOL(error_string, false, "nvmlErrorString"),
    SYMBOL(driver_version, false, "nvmlSystemGetDriverVersion"),
    SYMBOL(name, false, "nvmlDeviceGetName"),
    SYMBOL(pci, false, "nvmlDeviceGetPciInfo_v3"),
    SYMBOL(minor, false, "nvmlDeviceGetMinorNumber"),
    SYMBOL(memory_v2, false, "nvmlDeviceGetMemoryInfo_v2"),
    SYMBOL(memory, false, "nvmlDeviceGetMemoryInfo"),
    SYMBOL(mig_mode, false, "nvmlDeviceGetMigMode"),
    SYMBOL(mig_max, false, "nvmlDeviceGetMaxMigDeviceCount"),
    SYMBOL(mig_handle, false, "nvmlDeviceGetMigDeviceHandleByIndex"),
    SYMBOL(compute, false, "nvmlDeviceGetComputeRunningProcesses_v3",
           "nvmlDeviceGetComputeRunningProcesses_v2"),
    SYMBOL(graphics, false, "nvmlDeviceGetGraphicsRunningProcesses_v3",
           "nvmlDeviceGetGraphicsRunningProcesses_v2"),
    SYMBOL(mps, false, "nvmlDeviceGetMPSComputeRunningProcesses_v3",
           "nvmlDeviceGetMPSComputeRunningProcesses_v2"),
    SYMBOL(clock, false, "nvmlDeviceGetClockInfo"),
    SYMBOL(throttle, false, "nvmlDeviceGetCurrentClocksEventReasons",
           "nvmlDeviceGetCurrentClocksThrottleReasons"),
    SYMBOL(temperature, false, "nvmlDeviceGetTemperature"),
    SYMBOL(power, false, "nvmlDeviceGetPowerUsage"),
    SYMBOL(energy, false, "nvmlDeviceGetTotalEnergyConsumption"),
    SYMBOL(ecc, false, "nvmlDeviceGetTotalEccErrors"),
    SYMBOL(remapped, false, "nvmlDeviceGetRemappedRows"),
    SYMBOL(retired_pending, false, "nvmlDeviceGetRetiredPagesPendingStatus"),
    SYMBOL(fields, false, "nvmlDeviceGetFieldValues"),
    SYMBOL(set_create, false, "nvmlEventSetCreate"),
    SYMBOL(set_free, false, "nvmlEventSetFree"),
    SYMBOL(set_register, false, "nvmlDeviceRegisterEvents"),
    SYMBOL(set_wait, false, "nvmlEventSetWait_v2", "nvmlEventSetWait"),
};

static int bind_symbols(struct nvml *n, struct error *err) {
    for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
        void *found = NULL;
        const struct symbol *s = &symbols[i];
        for (size_t k = 0; k < 3 && s->names[k] && !found; k++)
            found = dlsym(n->library, s->names[k]);
        if (!found && s->needed)
            return error_set(err, ERROR_UNSUPPORTED, "NVML: it has no %s", s->names[0]);
        memcpy((char *)n + s->offset, &found, sizeof found);
    }
    return 0;
}

static const char *reason(const struct nvml *n, int rc) {
    const char *text = n->error_string ? n->error_string(rc) : NULL;
    return text ? text : "unknown error";
}

static int start(struct nvml *n, struct error *err) {
    const char *own = getenv("PADDOCK_NVML");
    const char *path = own && *own ? own : LIBRARY;
    n->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!n->library) return error_set(err, ERROR_UNSUPPORTED, "NVML: %s", dlerror());
    if (bind_symbols(n, err) < 0) return -1;
    int rc = n->init();
    if (rc != NVML_OK) return error_set(err, ERROR_UNSUPPORTED, "NVML: %s (%d)", reason(n, rc), rc);
    n->started = true;
    if (n->set_create && n->set_wait && n->set_register && n->set_create(&n->events) != NVML_OK)
        n->events = NULL;
    return 0;
}

struct nvml *nvml_open(struct error *err) {
    struct nvml *n = calloc(1, sizeof *n);
    if (!n) {
        error_sys(err, ENOMEM, "NVML");
        return NULL;
    }
    if (start(n, err) == 0) return n;
    nvml_close(n);
    return NULL;
}

void nvml_close(struct nvml *n) {
    if (!n) return;
    if (n->events && n->set_free) n->set_free(n->events);
    if (n->started && n->shutdown) n->shutdown();
    if (n->library) dlclose(n->library);
    free(n);
}

/* ---- one GPU ---- */

static void read_memory(const struct nvml *n, nvml_device d, struct gpu_reading *r) {
    struct nvml_memory_v2 two = {.version = (unsigned)NVML_MEMORY_V2};
    struct nvml_memory one = {0};
    if (n->memory_v2 && n->memory_v2(d, &two) == NVML_OK) {
        r->memory_total = (int64_t)two.total;
        r->memory_used = (int64_t)two.used;
        r->memory_reserved = (int64_t)two.reserved;
    } else if (n->memory && n->memory(d, &one) == NVML_OK) {
        r->memory_total = (int64_t)one.total;
        r->memory_used = (int64_t)one.used;
    }
}

static void read_mig(const struct nvml *n, nvml_device d, struct gpu_reading *r) {
    unsigned now = 0, pending = 0, most = 0;
    if (!n->mig_mode || n->mig_mode(d, &now, &pending) != NVML_OK) return;
    r->mig_mode = now;
    r->mig_instances = 0;
    if (now != 1 || !n->mig_max || !n->mig_handle || n->mig_max(d, &most) != NVML_OK) return;
    nvml_device instance;
    for (unsigned i = 0; i < most && i < READING_GPUS_MOST; i++)
        if (n->mig_handle(d, i, &instance) == NVML_OK) r->mig_instances++;
}

static void add_process(struct gpu_reading *r, const struct nvml_process *p) {
    for (size_t i = 0; i < r->process_count; i++)
        if (r->processes[i].pid == (int64_t)p->pid) return;
    if (r->process_count == READING_PROCESSES_MOST) return;
    int64_t memory = p->memory > (uint64_t)INT64_MAX ? -1 : (int64_t)p->memory;
    r->processes[r->process_count++] = (struct gpu_process){.pid = p->pid, .memory_bytes = memory};
}

/* One process may be in several of the three lists. */
static void read_processes(nvml_device d, process_call call, struct gpu_reading *r) {
    struct nvml_process list[READING_PROCESSES_MOST];
    unsigned count = READING_PROCESSES_MOST;
    int rc = call ? call(d, &count, list) : NVML_FUNCTION_NOT_FOUND;
    if (rc != NVML_OK && rc != NVML_INSUFFICIENT_SIZE) return;
    r->processes_told = true;
    if (count > READING_PROCESSES_MOST) count = READING_PROCESSES_MOST;
    for (unsigned i = 0; i < count; i++) add_process(r, &list[i]);
}

static void read_number(int (*call)(nvml_device, unsigned *), nvml_device d, int64_t *out) {
    unsigned value = 0;
    if (call && call(d, &value) == NVML_OK) *out = value;
}

static void read_state(const struct nvml *n, nvml_device d, struct gpu_reading *r) {
    unsigned value = 0;
    unsigned long long wide = 0;
    if (n->clock && n->clock(d, NVML_CLOCK_SM, &value) == NVML_OK) r->sm_mhz = value;
    if (n->clock && n->clock(d, NVML_CLOCK_MEMORY, &value) == NVML_OK) r->memory_mhz = value;
    if (n->throttle && n->throttle(d, &wide) == NVML_OK) r->throttle = (int64_t)wide;
    if (n->temperature && n->temperature(d, NVML_TEMPERATURE_GPU, &value) == NVML_OK)
        r->temperature_c = value;
    read_number(n->power, d, &r->power_mw);
    if (n->energy && n->energy(d, &wide) == NVML_OK) r->energy_mj = (int64_t)wide;
}

static void read_errors(const struct nvml *n, nvml_device d, struct gpu_reading *r) {
    unsigned long long wide = 0;
    unsigned corrected, uncorrected, pending, failed;
    int retired = 0;
    if (n->ecc && n->ecc(d, NVML_ECC_CORRECTED, NVML_ECC_VOLATILE, &wide) == NVML_OK)
        r->ecc_corrected = (int64_t)wide;
    if (n->ecc && n->ecc(d, NVML_ECC_UNCORRECTED, NVML_ECC_VOLATILE, &wide) == NVML_OK)
        r->ecc_uncorrected = (int64_t)wide;
    if (n->remapped && n->remapped(d, &corrected, &uncorrected, &pending, &failed) == NVML_OK) {
        r->remapped = (int64_t)corrected + uncorrected;
        r->remap_pending = pending;
        r->remap_failed = failed;
    }
    if (n->retired_pending && n->retired_pending(d, &retired) == NVML_OK)
        r->retired_pending = retired;
    struct nvml_field field = {.field = NVML_FIELD_RECOVERY_ACTION};
    if (n->fields && n->fields(d, 1, &field) == NVML_OK && field.status == NVML_OK)
        r->recovery = field.value.ui;
}

static void read_identity(const struct nvml *n, nvml_device d, struct gpu_reading *r) {
    struct nvml_pci pci;
    memset(&pci, 0, sizeof pci);
    if (n->name && n->name(d, r->name, sizeof r->name) != NVML_OK) r->name[0] = '\0';
    if (n->pci && n->pci(d, &pci) == NVML_OK)
        snprintf(r->pci, sizeof r->pci, "%.*s", (int)sizeof pci.bus_id - 1, pci.bus_id);
    read_number(n->minor, d, &r->minor);
    r->name[sizeof r->name - 1] = '\0';
}

static void read_device(struct nvml *n, unsigned index, struct gpu_reading *r) {
    nvml_device d = NULL;
    gpu_reading_init(r);
    r->index = index;
    int rc = n->handle(index, &d);
    n->devices[index] = d;
    if (rc == NVML_OK) rc = n->uuid(d, r->uuid, sizeof r->uuid);
    r->uuid[sizeof r->uuid - 1] = '\0';
    if (rc != NVML_OK) {
        snprintf(r->lost, sizeof r->lost, "%s (%d)", reason(n, rc), rc);
        return;
    }
    read_identity(n, d, r);
    read_memory(n, d, r);
    read_mig(n, d, r);
    read_processes(d, n->compute, r);
    read_processes(d, n->graphics, r);
    read_processes(d, n->mps, r);
    read_state(n, d, r);
    read_errors(n, d, r);
    if (n->events && !n->registered[index])
        n->registered[index] =
            n->set_register(d, NVML_EVENT_XID | NVML_EVENT_DOUBLE_BIT, n->events) == NVML_OK;
}

/* ---- all of them ---- */

static void note_event(const struct nvml *n, const struct nvml_event *e, struct gpu_readings *out) {
    for (size_t i = 0; i < out->count; i++) {
        struct gpu_reading *r = &out->items[i];
        if (n->devices[i] != e->device || e->type != NVML_EVENT_XID) continue;
        if (r->xid_count < READING_XIDS_MOST) r->xids[r->xid_count++] = (int64_t)e->data;
    }
}

static void take_events(const struct nvml *n, struct gpu_readings *out) {
    for (int i = 0; n->events && i < EVENTS_MOST; i++) {
        struct nvml_event event = {0};
        if (n->set_wait(n->events, &event, 0) != NVML_OK) return;
        note_event(n, &event, out);
    }
}

int nvml_read(struct nvml *n, struct gpu_readings *out, struct error *err) {
    unsigned count = 0;
    int rc = n->count(&count);
    if (rc != NVML_OK) return error_set(err, ERROR_UNSUPPORTED, "NVML: %s (%d)", reason(n, rc), rc);
    if (count > READING_GPUS_MOST) count = READING_GPUS_MOST;
    out->items = calloc(count + 1, sizeof *out->items);
    if (!out->items) return error_sys(err, ENOMEM, "NVML");
    if (n->driver_version && n->driver_version(out->driver, sizeof out->driver) != NVML_OK)
        out->driver[0] = '\0';
    out->driver[sizeof out->driver - 1] = '\0';
    for (unsigned i = 0; i < count; i++) read_device(n, i, &out->items[i]);
    out->count = count;
    take_events(n, out);
    return 0;
}
