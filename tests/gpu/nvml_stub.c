/*
 * A stand-in for NVIDIA's library, told by a text file what to say. The file that
 * PADDOCK_NVML_SCENARIO names is read again at each call, so that a test can change
 * the machine under a running daemon. One line for each fact:
 *
 *   devices N                how many GPUs
 *   fail CODE                nvmlInit returns it
 *   lost I CODE              the UUID of GPU I cannot be had
 *   process I PID            PID computes on GPU I (graphics I PID, mps I PID)
 *   memory I MIB             so much is in use
 *   xid I CODE SERIAL        an event, told once for each new SERIAL
 *   throttle I BITS          why the clocks are low
 *   ecc I N                  uncorrected errors
 *   recovery I N, remap_failed I N
 *
 * -DSTUB_OLD leaves out what old drivers do not have, -DSTUB_BARE all that may be
 * missing, -DSTUB_BROKEN a function that is needed.
 */
#include "orchestrator/gpu/nvml_abi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GPUS = 64 };

static long told_serial[GPUS];
static struct { int number; } gpus[GPUS];

int nvmlInit_v2(void);
int nvmlDeviceGetCount_v2(unsigned *count);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, nvml_device *out);
int nvmlDeviceGetUUID(nvml_device d, char *out, unsigned size);
const char *nvmlErrorString(int rc);
int nvmlSystemGetDriverVersion(char *out, unsigned size);
int nvmlDeviceGetName(nvml_device d, char *out, unsigned size);
int nvmlDeviceGetPciInfo_v3(nvml_device d, struct nvml_pci *out);
int nvmlDeviceGetMinorNumber(nvml_device d, unsigned *out);
int nvmlDeviceGetMemoryInfo_v2(nvml_device d, struct nvml_memory_v2 *out);
int nvmlDeviceGetMemoryInfo(nvml_device d, struct nvml_memory *out);
int nvmlDeviceGetComputeRunningProcesses_v3(nvml_device d, unsigned *n, struct nvml_process *out);
int nvmlDeviceGetComputeRunningProcesses_v2(nvml_device d, unsigned *n, struct nvml_process *out);
int nvmlDeviceGetGraphicsRunningProcesses_v3(nvml_device d, unsigned *n, struct nvml_process *out);
int nvmlDeviceGetMPSComputeRunningProcesses_v3(nvml_device d, unsigned *n,
                                               struct nvml_process *out);
int nvmlDeviceGetCurrentClocksEventReasons(nvml_device d, unsigned long long *out);
int nvmlDeviceGetTotalEccErrors(nvml_device d, int type, int counter, unsigned long long *out);
int nvmlDeviceGetRemappedRows(nvml_device d, unsigned *c, unsigned *u, unsigned *p, unsigned *f);
int nvmlDeviceGetFieldValues(nvml_device d, int count, struct nvml_field *f);
int nvmlEventSetCreate(nvml_event_set *out);
int nvmlDeviceRegisterEvents(nvml_device d, unsigned long long types, nvml_event_set set);
int nvmlEventSetWait_v2(nvml_event_set set, struct nvml_event *out, unsigned ms);

static int index_of(nvml_device d) {
    return ((int *)d)[0];
}

/* Calls back for each line of this word; `gpu` -1: the word has none. */
typedef void on_line(void *context, long gpu, long a, long b);

static void each(const char *word, on_line *f, void *context) {
    const char *path = getenv("PADDOCK_NVML_SCENARIO");
    FILE *file = path ? fopen(path, "re") : NULL;
    char line[200], have[32];
    while (file && fgets(line, sizeof line, file)) {
        long a = -1, b = -1, c = -1;
        if (sscanf(line, "%31s %ld %ld %ld", have, &a, &b, &c) >= 2 && strcmp(have, word) == 0)
            f(context, a, b, c);
    }
    if (file) fclose(file);
}

struct lookup {
    long gpu, a, b;
};

static void keep(void *context, long gpu, long a, long b) {
    struct lookup *l = context;
    if (l->gpu >= 0 && l->gpu != gpu) return;
    if (l->gpu < 0) a = gpu;
    l->a = a;
    l->b = b;
}

static long value(const char *word, long gpu, long otherwise) {
    struct lookup l = {.gpu = gpu, .a = otherwise};
    each(word, keep, &l);
    return l.a;
}

int nvmlInit_v2(void) {
    return (int)value("fail", -1, NVML_OK);
}

#ifndef STUB_BROKEN
int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = (unsigned)value("devices", -1, 0);
    return NVML_OK;
}
#endif

int nvmlDeviceGetHandleByIndex_v2(unsigned index, nvml_device *out) {
    gpus[index].number = (int)index;
    *out = &gpus[index];
    return NVML_OK;
}

int nvmlDeviceGetUUID(nvml_device d, char *out, unsigned size) {
    int i = index_of(d);
    long lost = value("lost", i, NVML_OK);
    if (lost != NVML_OK) return (int)lost;
    snprintf(out, size, "GPU-00000000-0000-0000-0000-0000000000%02d", i);
    return NVML_OK;
}

#ifndef STUB_BARE
const char *nvmlErrorString(int rc) {
    return rc == NVML_GPU_IS_LOST ? "GPU is lost" : "Driver Not Loaded";
}

int nvmlSystemGetDriverVersion(char *out, unsigned size) {
    snprintf(out, size, "999.88.77");
    return NVML_OK;
}

int nvmlDeviceGetName(nvml_device d, char *out, unsigned size) {
    (void)d;
    snprintf(out, size, "Stub GPU");
    return NVML_OK;
}

int nvmlDeviceGetPciInfo_v3(nvml_device d, struct nvml_pci *out) {
    memset(out, 0, sizeof *out);
    snprintf(out->bus_id, sizeof out->bus_id, "00000000:%02x:00.0", 7 + index_of(d));
    return NVML_OK;
}

int nvmlDeviceGetMinorNumber(nvml_device d, unsigned *out) {
    *out = (unsigned)index_of(d);
    return NVML_OK;
}

static unsigned long long used(nvml_device d) {
    return (unsigned long long)value("memory", index_of(d), 0) << 20;
}

int nvmlDeviceGetMemoryInfo(nvml_device d, struct nvml_memory *out) {
    *out = (struct nvml_memory){.total = 80ULL << 30, .used = used(d)};
    return NVML_OK;
}

#ifndef STUB_OLD
int nvmlDeviceGetMemoryInfo_v2(nvml_device d, struct nvml_memory_v2 *out) {
    if (out->version != NVML_MEMORY_V2) return 25;
    out->total = 80ULL << 30;
    out->reserved = 500ULL << 20;
    out->used = used(d);
    return NVML_OK;
}
#endif

struct processes {
    long gpu;
    unsigned most, count;
    struct nvml_process *out;
};

static void add(void *context, long gpu, long pid, long b) {
    struct processes *p = context;
    (void)b;
    if (gpu != p->gpu) return;
    if (p->count < p->most) p->out[p->count] = (struct nvml_process){.pid = (unsigned)pid};
    p->count++;
}

static int processes(const char *word, nvml_device d, unsigned *n, struct nvml_process *out) {
    struct processes p = {.gpu = index_of(d), .most = *n, .out = out};
    each(word, add, &p);
    *n = p.count;
    return p.count > p.most ? NVML_INSUFFICIENT_SIZE : NVML_OK;
}

#ifdef STUB_OLD
int nvmlDeviceGetComputeRunningProcesses_v2(nvml_device d, unsigned *n, struct nvml_process *out) {
#else
int nvmlDeviceGetComputeRunningProcesses_v3(nvml_device d, unsigned *n, struct nvml_process *out) {
#endif
    return processes("process", d, n, out);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(nvml_device d, unsigned *n, struct nvml_process *out) {
    return processes("graphics", d, n, out);
}

int nvmlDeviceGetMPSComputeRunningProcesses_v3(nvml_device d, unsigned *n,
                                               struct nvml_process *out) {
    return processes("mps", d, n, out);
}

int nvmlDeviceGetCurrentClocksEventReasons(nvml_device d, unsigned long long *out) {
    *out = (unsigned long long)value("throttle", index_of(d), 0);
    return NVML_OK;
}

int nvmlDeviceGetTotalEccErrors(nvml_device d, int type, int counter, unsigned long long *out) {
    (void)counter;
    *out = type == NVML_ECC_UNCORRECTED ? (unsigned long long)value("ecc", index_of(d), 0) : 0;
    return NVML_OK;
}

int nvmlDeviceGetRemappedRows(nvml_device d, unsigned *c, unsigned *u, unsigned *p, unsigned *f) {
    *c = *u = *p = 0;
    *f = (unsigned)value("remap_failed", index_of(d), 0);
    return NVML_OK;
}

#ifndef STUB_OLD
int nvmlDeviceGetFieldValues(nvml_device d, int count, struct nvml_field *f) {
    for (int i = 0; i < count; i++) {
        f[i].status = f[i].field == NVML_FIELD_RECOVERY_ACTION ? NVML_OK : NVML_NOT_SUPPORTED;
        f[i].value.ui = (unsigned)value("recovery", index_of(d), 0);
    }
    return NVML_OK;
}
#endif

int nvmlEventSetCreate(nvml_event_set *out) {
    *out = told_serial;
    return NVML_OK;
}

int nvmlDeviceRegisterEvents(nvml_device d, unsigned long long types, nvml_event_set set) {
    (void)d, (void)types, (void)set;
    return NVML_OK;
}

int nvmlEventSetWait_v2(nvml_event_set set, struct nvml_event *out, unsigned ms) {
    (void)set, (void)ms;
    for (int i = 0; i < GPUS; i++) {
        struct lookup l = {.gpu = i, .a = -1, .b = 0};
        each("xid", keep, &l);
        if (l.a < 0 || l.b <= told_serial[i]) continue;
        told_serial[i] = l.b;
        *out = (struct nvml_event){
            .device = &gpus[i], .type = NVML_EVENT_XID, .data = (unsigned long long)l.a};
        return NVML_OK;
    }
    return NVML_TIMEOUT;
}
#endif
