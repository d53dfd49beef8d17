/*
 * cuda_runtime.h - enough of CUDA to run a kernel without a GPU.
 *
 * For tests only. A block's threads become fibers of one thread of the processor: each runs
 * until it waits for others (__syncthreads, __syncwarp, a shuffle) and then lets the next
 * one run. In which order threads and blocks run is chosen by CUDA_EMULATE_ORDER (0:
 * ascending, 1: descending, from 2 on: shuffled by that seed, anew at each wait): a kernel
 * that forgets to wait, or adds up in the order of arrival, gives other results in another
 * order. Shared memory and what cudaMalloc returns is filled with NaN, so that what is read
 * before it is written shows.
 *
 * `kernel<<<grid, block, shared, stream>>>(arguments)` is no C++: translate.py, beside this
 * folder, makes `CUDA_LAUNCH(...)` of it and finds the shared arrays. Only what the catalog
 * uses is here.
 */
#ifndef CUDA_EMULATED_RUNTIME_H
#define CUDA_EMULATED_RUNTIME_H

#include <functional>
#include <map>
#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __restrict__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__   static

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {
    }
};
struct uint3 {
    unsigned x, y, z;
};
struct alignas(16) float4 {
    float x, y, z, w;
};

static inline float4 make_float4(float x, float y, float z, float w) {
    return {x, y, z, w};
}

/* ---- the machine ------------------------------------------------------ */

namespace cuda_emulated {

constexpr size_t STACK = 128 * 1024;
constexpr int WARP = 32;

/* Where threads wait for each other: those of a block, or of a warp. Who has ended is no
 * longer waited for. */
struct Barrier {
    int members, arrived;
    uint64_t round;
};

struct Fiber {
    ucontext_t start;
    jmp_buf at;
    bool begun, ended;
    Barrier *barrier; /* that it waits at, or NULL */
    uint64_t round;   /* of that barrier, which must have passed */
    uint3 thread;
    int linear;
    std::vector<char> stack;
};

struct Machine {
    std::vector<Fiber *> fibers;
    std::vector<Barrier> warps;
    std::vector<uint64_t> exchange; /* a slot for each thread, for shuffles */
    Barrier block;
    jmp_buf scheduler;
    Fiber *now;
    const std::function<void()> *kernel;
    uint64_t order, random;
    bool capturing;
    std::vector<std::function<void()>> recorded;
    size_t launches, allocated;
    std::map<void *, size_t> sizes; /* of what cudaMalloc has given */
};

inline Machine machine;
inline uint3 block_index;
inline dim3 block_size, grid_size;

inline uint64_t random_u64() {
    uint64_t z = machine.random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

[[noreturn]] inline void fault(const char *what) {
    fprintf(stderr, "cuda_emulated: %s\n", what);
    abort();
}

inline void yield() {
    if (_setjmp(machine.now->at) == 0) _longjmp(machine.scheduler, 1);
}

inline void arrive(Barrier *b) {
    if (++b->arrived < b->members) return;
    b->arrived = 0, b->round++;
}

inline void wait_at(Barrier *b) {
    Fiber *me = machine.now;
    me->barrier = b, me->round = b->round;
    arrive(b);
    yield();
    me->barrier = nullptr;
}

inline void leave(Barrier *b) {
    b->members--;
    if (b->members > 0 && b->arrived == b->members) b->arrived = 0, b->round++;
}

inline Barrier *own_warp() {
    return &machine.warps[(size_t)(machine.now->linear / WARP)];
}

inline void fiber_main() {
    for (;;) {
        (*machine.kernel)();
        machine.now->ended = true;
        leave(own_warp());
        leave(&machine.block);
        yield(); /* until another block begins */
    }
}

inline void resume(Fiber *f) {
    machine.now = f;
    if (_setjmp(machine.scheduler) != 0) return;
    if (f->begun) _longjmp(f->at, 1);
    f->begun = true;
    setcontext(&f->start);
}

inline Fiber *new_fiber() {
    Fiber *f = new Fiber();
    f->stack.resize(STACK);
    getcontext(&f->start);
    f->start.uc_stack.ss_sp = f->stack.data();
    f->start.uc_stack.ss_size = STACK;
    f->start.uc_link = nullptr;
    makecontext(&f->start, fiber_main, 0);
    return f;
}

inline void put_in_order(std::vector<int> &list) {
    if (machine.order < 2) return;
    for (size_t i = list.size(); i > 1; i--) {
        const size_t j = random_u64() % i;
        const int t = list[i - 1];
        list[i - 1] = list[j], list[j] = t;
    }
}

inline std::vector<int> numbers(int n) {
    std::vector<int> list((size_t)n);
    for (int i = 0; i < n; i++) list[(size_t)i] = machine.order == 1 ? n - 1 - i : i;
    put_in_order(list);
    return list;
}

inline void begin_block(int threads) {
    while ((int)machine.fibers.size() < threads) machine.fibers.push_back(new_fiber());
    machine.exchange.resize(machine.fibers.size());
    machine.block = {threads, 0, 0};
    machine.warps.clear();
    for (int first = 0; first < threads; first += WARP)
        machine.warps.push_back({threads - first < WARP ? threads - first : WARP, 0, 0});
    for (int i = 0; i < threads; i++) {
        Fiber *f = machine.fibers[(size_t)i];
        const unsigned u = (unsigned)i;
        f->ended = false, f->barrier = nullptr, f->linear = i;
        f->thread = {u % block_size.x, u / block_size.x % block_size.y,
                     u / block_size.x / block_size.y};
    }
}

inline void run_block(int threads) {
    begin_block(threads);
    std::vector<int> waiting = numbers(threads), next;
    while (!waiting.empty()) {
        bool moved = false;
        next.clear();
        for (int i : waiting) {
            Fiber *f = machine.fibers[(size_t)i];
            if (f->barrier && f->barrier->round == f->round) {
                next.push_back(i);
                continue;
            }
            moved = true;
            resume(f);
            if (!f->ended) next.push_back(i);
        }
        if (!moved) fault("threads wait for each other at different places");
        waiting.swap(next);
        put_in_order(waiting);
    }
}

inline void poison(void *p, size_t bytes) {
    memset(p, 0xff, bytes); /* floats: NaN */
}

inline void run_grid(dim3 grid, dim3 block, const std::function<void()> &kernel) {
    const int threads = (int)(block.x * block.y * block.z);
    if (threads < 1 || threads > 1024) fault("a block has 1 to 1024 threads");
    if (grid.x < 1 || grid.y < 1 || grid.z < 1 || grid.y > 65535 || grid.z > 65535)
        fault("this grid is empty or too large");
    const char *order = getenv("CUDA_EMULATE_ORDER");
    machine.order = machine.random = order ? strtoull(order, nullptr, 10) : 0;
    machine.random += machine.launches++;
    machine.kernel = &kernel;
    grid_size = grid, block_size = block;
    for (int b : numbers((int)(grid.x * grid.y * grid.z))) {
        const unsigned u = (unsigned)b;
        block_index = {u % grid.x, u / grid.x % grid.y, u / grid.x / grid.y};
        run_block(threads);
    }
}

inline void launch(dim3 grid, dim3 block, std::function<void()> kernel) {
    if (!machine.capturing) return run_grid(grid, block, kernel);
    machine.recorded.push_back([=] { run_grid(grid, block, kernel); });
}

template <typename T> inline T shuffle(T value, int from_lane) {
    static_assert(sizeof(T) <= sizeof(uint64_t), "a shuffle moves at most 64 bits");
    const int me = machine.now->linear, base = me / WARP * WARP;
    memcpy(&machine.exchange[(size_t)me], &value, sizeof value);
    wait_at(own_warp());
    memcpy(&value, &machine.exchange[(size_t)(base + from_lane)], sizeof value);
    wait_at(own_warp());
    return value;
}

} // namespace cuda_emulated

#define threadIdx (cuda_emulated::machine.now->thread)
#define blockIdx  (cuda_emulated::block_index)
#define blockDim  (cuda_emulated::block_size)
#define gridDim   (cuda_emulated::grid_size)

/* What a launch is translated to: arguments are evaluated when it is launched. */
#define CUDA_LAUNCH(grid, block, ...) \
    cuda_emulated::launch(dim3(grid), dim3(block), [=] { __VA_ARGS__; })

/* Shared arrays hold NaN when a block begins: the first of its threads to get here sees to it */
#define CUDA_SHARED(array)                                                                      \
    do {                                                                                        \
        static uint64_t seen_launch_ = ~(uint64_t)0, seen_block_ = ~(uint64_t)0;                \
        const uint64_t b_ =                                                                     \
            blockIdx.x + (uint64_t)gridDim.x * (blockIdx.y + (uint64_t)gridDim.y * blockIdx.z); \
        if (seen_launch_ != cuda_emulated::machine.launches || seen_block_ != b_) {             \
            seen_launch_ = cuda_emulated::machine.launches, seen_block_ = b_;                   \
            cuda_emulated::poison(&(array), sizeof(array));                                     \
        }                                                                                       \
    } while (0)

static inline void __syncthreads() {
    cuda_emulated::wait_at(&cuda_emulated::machine.block);
}
static inline void __syncwarp(unsigned = 0xffffffff) {
    cuda_emulated::wait_at(cuda_emulated::own_warp());
}
template <typename T> static inline T __shfl_xor_sync(unsigned, T value, int mask) {
    return cuda_emulated::shuffle(value, (cuda_emulated::machine.now->linear % 32) ^ mask);
}
template <typename T> static inline T __shfl_down_sync(unsigned, T value, int by) {
    const int lane = cuda_emulated::machine.now->linear % 32;
    return cuda_emulated::shuffle(value, lane + by < 32 ? lane + by : lane);
}

/* ---- the runtime ------------------------------------------------------ */

enum cudaError_t {
    cudaSuccess,
    cudaErrorInvalidValue,
    cudaErrorMemoryAllocation,
    cudaErrorInsufficientDriver,
    cudaErrorStubLibrary,
    cudaErrorNoDevice,
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal };

typedef struct cuda_stream *cudaStream_t;
typedef std::vector<std::function<void()>> *cudaGraph_t;
typedef std::vector<std::function<void()>> *cudaGraphExec_t;

static inline const char *cudaGetErrorString(cudaError_t error) {
    return error == cudaSuccess ? "no error" : "an error";
}
static inline cudaError_t cudaGetLastError() {
    return cudaSuccess;
}
/* CUDA_EMULATE_DEVICES says how many GPUs there are (1), CUDA_EMULATE_MEMORY how many bytes
 * each has (no limit). The UUID of GPU i is all zeros but for its last byte, i. */
static inline long long cuda_emulated_setting(const char *name, long long otherwise) {
    const char *value = getenv(name);
    return value ? atoll(value) : otherwise;
}
static inline cudaError_t cudaGetDeviceCount(int *count) {
    *count = (int)cuda_emulated_setting("CUDA_EMULATE_DEVICES", 1);
    return *count > 0 ? cudaSuccess : cudaErrorInsufficientDriver;
}
static inline cudaError_t cudaSetDevice(int) {
    return cudaSuccess;
}
struct cudaUUID_t {
    char bytes[16];
};
struct cudaDeviceProp {
    char name[256];
    cudaUUID_t uuid;
    int multiProcessorCount;
};
static inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int device) {
    *p = {};
    snprintf(p->name, sizeof p->name, "an \"emulated\" GPU");
    p->uuid.bytes[15] = (char)device;
    p->multiProcessorCount = 2;
    return cudaSuccess;
}
static inline cudaError_t cudaMalloc(void **p, size_t bytes) {
    auto &m = cuda_emulated::machine;
    const size_t limit = (size_t)cuda_emulated_setting("CUDA_EMULATE_MEMORY", -1);
    if (bytes > limit - m.allocated) return cudaErrorMemoryAllocation;
    if (posix_memalign(p, 256, bytes + !bytes) != 0) return cudaErrorMemoryAllocation;
    cuda_emulated::poison(*p, bytes);
    m.sizes[*p] = bytes;
    m.allocated += bytes;
    return cudaSuccess;
}
static inline cudaError_t cudaFree(void *p) {
    auto &m = cuda_emulated::machine;
    if (!p) return cudaSuccess;
    if (!m.sizes.count(p)) return cudaErrorInvalidValue;
    m.allocated -= m.sizes[p];
    m.sizes.erase(p);
    free(p);
    return cudaSuccess;
}
static inline cudaError_t cudaDeviceSynchronize() {
    return cudaSuccess;
}

/* Time is the processor's: enough to see that it was asked for in the right order */
struct cuda_event {
    struct timespec at;
};
typedef cuda_event *cudaEvent_t;
static inline cudaError_t cudaEventCreate(cudaEvent_t *event) {
    *event = new cuda_event();
    return cudaSuccess;
}
static inline cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete event;
    return cudaSuccess;
}
static inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
    clock_gettime(CLOCK_MONOTONIC, &event->at);
    return cudaSuccess;
}
static inline cudaError_t cudaEventSynchronize(cudaEvent_t) {
    return cudaSuccess;
}
static inline cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t begin, cudaEvent_t end) {
    *ms = (float)(end->at.tv_sec - begin->at.tv_sec) * 1e3f +
          (float)(end->at.tv_nsec - begin->at.tv_nsec) * 1e-6f;
    return cudaSuccess;
}
static inline long long clock64() {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}
static inline unsigned atomicAdd(unsigned *to, unsigned value) {
    const unsigned before = *to;
    *to += value;
    return before;
}
static inline cudaError_t cudaMemset(void *p, int value, size_t bytes) {
    memset(p, value, bytes);
    return cudaSuccess;
}
static inline cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t) {
    if (cuda_emulated::machine.capturing)
        cuda_emulated::machine.recorded.push_back([=] { memset(p, value, bytes); });
    else memset(p, value, bytes);
    return cudaSuccess;
}
static inline cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind) {
    memcpy(to, from, bytes);
    return cudaSuccess;
}
static inline cudaError_t cudaStreamCreate(cudaStream_t *stream) {
    *stream = nullptr;
    return cudaSuccess;
}
static inline cudaError_t cudaStreamSynchronize(cudaStream_t) {
    return cudaSuccess;
}
static inline cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
    cuda_emulated::machine.capturing = true;
    cuda_emulated::machine.recorded.clear();
    return cudaSuccess;
}
static inline cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t *graph) {
    cuda_emulated::machine.capturing = false;
    *graph = new std::vector<std::function<void()>>(cuda_emulated::machine.recorded);
    return cudaSuccess;
}
static inline cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *exec, cudaGraph_t graph,
                                                        unsigned long long) {
    *exec = new std::vector<std::function<void()>>(*graph);
    return cudaSuccess;
}
static inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cudaSuccess;
}
static inline cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t) {
    for (const auto &work : *exec) work();
    return cudaSuccess;
}

#endif
