/*
 * gauge.cu - paddock-gpu-gauge: the same work on a GPU, before and after a timed run, so
 * that one sees whether it was the same GPU; and a scrub of its memory between tenants.
 *
 *   paddock-gpu-gauge measure UUID   how fast it multiplies and copies
 *   paddock-gpu-gauge scrub UUID     fills all memory that can be had with zeros
 *
 * One JSON object on stdout; rates are in GFLOP/s and GB/s. Exit status: 0; 77 where there
 * is no driver or no such GPU; 1 when something failed; 2 for a wrong call.
 *
 * A trusted program on the host, outside the fence. It needs the driver's library only: the
 * CUDA runtime is linked statically. Its products are its own and their speed is no
 * measure of what the GPU could do, only of whether it does the same as before.
 */
#include <cuda_runtime.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

constexpr int NO_DRIVER = 77;

/* ---- failing ---------------------------------------------------------- */

static bool means_no_driver(cudaError_t error) {
    return error == cudaErrorInsufficientDriver || error == cudaErrorNoDevice ||
           error == cudaErrorStubLibrary;
}

static void check(cudaError_t error, const char *what) {
    if (error == cudaSuccess) return;
    fprintf(stderr, "paddock-gpu-gauge: %s: %s\n", what, cudaGetErrorString(error));
    exit(means_no_driver(error) ? NO_DRIVER : 1);
}

#define CHECK(call) check(call, #call)

/* ---- the device ------------------------------------------------------- */

/* "GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", as NVML writes it */
static void uuid_text(char text[48], const cudaUUID_t *uuid) {
    const unsigned char *b = (const unsigned char *)uuid->bytes;
    int at = snprintf(text, 48, "GPU-");
    for (int i = 0; i < 16; i++)
        at += snprintf(text + at, 48 - (size_t)at, "%s%02x",
                       i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
}

/* The device of that UUID becomes the current one. A MIG instance is chosen by the
 * driver, which shows a process that names it in CUDA_VISIBLE_DEVICES nothing else. */
static cudaDeviceProp choose(const char *uuid) {
    const bool instance = strncmp(uuid, "MIG-", 4) == 0;
    if (instance) setenv("CUDA_VISIBLE_DEVICES", uuid, 1);
    int count = 0;
    CHECK(cudaGetDeviceCount(&count));
    for (int i = 0; i < count; i++) {
        cudaDeviceProp p;
        char text[48];
        CHECK(cudaGetDeviceProperties(&p, i));
        uuid_text(text, &p.uuid);
        if (!instance && strcmp(text, uuid) != 0) continue;
        CHECK(cudaSetDevice(i));
        return p;
    }
    fprintf(stderr, "paddock-gpu-gauge: there is no GPU %s among the %d of this machine\n", uuid,
            count);
    exit(NO_DRIVER);
}

static void *reserve(size_t bytes) {
    void *p = NULL;
    CHECK(cudaMalloc(&p, bytes));
    return p;
}

/* ---- the kernels ------------------------------------------------------ */

constexpr int TILE = 64, DEPTH = 16, EACH = 4, THREADS = 256;

/* c = a b, all n x n, n a multiple of TILE; a thread has EACH x EACH of a tile */
__global__ void __launch_bounds__(THREADS)
    multiply(float *c, const float *a, const float *b, int n) {
    __shared__ float left[DEPTH][TILE + EACH], right[DEPTH][TILE + EACH];
    const int row = (int)blockIdx.y * TILE, column = (int)blockIdx.x * TILE;
    const int r = (int)threadIdx.x / (TILE / EACH) * EACH;
    const int s = (int)threadIdx.x % (TILE / EACH) * EACH;
    float sum[EACH][EACH] = {};
    for (int k = 0; k < n; k += DEPTH) {
        for (int i = (int)threadIdx.x; i < TILE * DEPTH; i += THREADS) {
            left[i % DEPTH][i / DEPTH] = a[(size_t)(row + i / DEPTH) * n + k + i % DEPTH];
            right[i / TILE][i % TILE] = b[(size_t)(k + i / TILE) * n + column + i % TILE];
        }
        __syncthreads();
        for (int d = 0; d < DEPTH; d++)
            for (int i = 0; i < EACH; i++)
                for (int j = 0; j < EACH; j++) sum[i][j] += left[d][r + i] * right[d][s + j];
        __syncthreads();
    }
    for (int i = 0; i < EACH; i++)
        for (int j = 0; j < EACH; j++) c[(size_t)(row + r + i) * n + column + s + j] = sum[i][j];
}

/* Row i of a is i + 1 at column i and else 0: its product with b is b, each row times its number */
__global__ void fill(float *a, float *b, int n) {
    const size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (i >= (size_t)n * n) return;
    const size_t r = i / n, c = i % n;
    a[i] = r == c ? (float)(r % 7 + 1) : 0;
    b[i] = (float)((r * 3 + c) % 11);
}

/* How many numbers of the product are wrong: a GPU may be fast and false */
__global__ void compare(unsigned *wrong, const float *c, int n) {
    const size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (i >= (size_t)n * n) return;
    const size_t r = i / n, k = i % n;
    if (c[i] != (float)(r % 7 + 1) * (float)((r * 3 + k) % 11)) atomicAdd(wrong, 1u);
}

__global__ void copy(float4 *to, const float4 *from, size_t n) {
    const size_t stride = (size_t)gridDim.x * THREADS;
    for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < n; i += stride) to[i] = from[i];
}

/* Cycles of the multiprocessor's own clock, while nothing but adding happens */
__global__ void count_cycles(long long *cycles, float *sink, int rounds) {
    const long long begin = clock64();
    float x = *sink;
    for (int i = 0; i < rounds; i++) x = x * 0.5f + 1;
    *sink = x;
    *cycles = clock64() - begin;
}

/* ---- timing ----------------------------------------------------------- */

constexpr int REPEATS = 9;

static int ascending(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The median time of REPEATS of work, in milliseconds by the GPU's own events; one turn
 * before that is not counted. */
template <typename Work> static float median_ms(Work work) {
    cudaEvent_t begin, end;
    float ms[REPEATS];
    CHECK(cudaEventCreate(&begin));
    CHECK(cudaEventCreate(&end));
    work();
    for (int i = 0; i < REPEATS; i++) {
        CHECK(cudaEventRecord(begin, 0));
        work();
        CHECK(cudaEventRecord(end, 0));
        CHECK(cudaEventSynchronize(end));
        CHECK(cudaEventElapsedTime(&ms[i], begin, end));
    }
    CHECK(cudaGetLastError());
    CHECK(cudaEventDestroy(begin));
    CHECK(cudaEventDestroy(end));
    qsort(ms, REPEATS, sizeof *ms, ascending);
    return ms[REPEATS / 2];
}

/* ---- measure ---------------------------------------------------------- */

constexpr int SIDE = 4096;                   /* 137 GFLOP: some ten ms on a large GPU */
constexpr size_t COPIED = (size_t)256 << 20; /* well beyond any second-level cache */
constexpr int CYCLE_ROUNDS = 1 << 16;

static double matrix_gflops(double *ms) {
    const size_t bytes = (size_t)SIDE * SIDE * sizeof(float);
    float *a = (float *)reserve(bytes), *b = (float *)reserve(bytes), *c = (float *)reserve(bytes);
    unsigned *wrong = (unsigned *)reserve(sizeof *wrong), found = 0;
    const unsigned all = (unsigned)((size_t)SIDE * SIDE / THREADS);
    CHECK(cudaMemset(wrong, 0, sizeof *wrong));
    fill<<<all, THREADS>>>(a, b, SIDE);
    const dim3 grid(SIDE / TILE, SIDE / TILE);
    const float time = median_ms([=] { multiply<<<grid, THREADS>>>(c, a, b, SIDE); });
    compare<<<all, THREADS>>>(wrong, c, SIDE);
    CHECK(cudaMemcpy(&found, wrong, sizeof found, cudaMemcpyDeviceToHost));
    if (found) {
        fprintf(stderr, "paddock-gpu-gauge: %u numbers of a product are wrong\n", found);
        exit(1);
    }
    CHECK(cudaFree(a));
    CHECK(cudaFree(b));
    CHECK(cudaFree(c));
    CHECK(cudaFree(wrong));
    *ms += time;
    return 2.0 * SIDE * SIDE * SIDE / time * 1e-6;
}

static double memory_gb_s(double *ms, int processors) {
    float4 *from = (float4 *)reserve(COPIED), *to = (float4 *)reserve(COPIED);
    CHECK(cudaMemset(from, 1, COPIED));
    const float time = median_ms(
        [=] { copy<<<(unsigned)processors * 8, THREADS>>>(to, from, COPIED / sizeof(float4)); });
    CHECK(cudaFree(from));
    CHECK(cudaFree(to));
    *ms += time;
    return 2.0 * COPIED / time * 1e-6;
}

static double clock_mhz(void) {
    long long *cycles = (long long *)reserve(sizeof *cycles), counted = 0;
    float *sink = (float *)reserve(sizeof *sink);
    CHECK(cudaMemset(sink, 0, sizeof *sink));
    const float time = median_ms([=] { count_cycles<<<1, 1>>>(cycles, sink, CYCLE_ROUNDS); });
    CHECK(cudaMemcpy(&counted, cycles, sizeof counted, cudaMemcpyDeviceToHost));
    CHECK(cudaFree(cycles));
    CHECK(cudaFree(sink));
    return (double)counted / time * 1e-3;
}

/* A device's name, as JSON: what is not plain is left out */
static void print_string(const char *text) {
    putchar('"');
    for (; *text; text++)
        if (*text >= ' ' && *text <= '~' && *text != '"' && *text != '\\') putchar(*text);
    putchar('"');
}

static void measure(const char *uuid) {
    const cudaDeviceProp p = choose(uuid);
    double ms = 0;
    const double matrix = matrix_gflops(&ms), memory = memory_gb_s(&ms, p.multiProcessorCount);
    printf("{\"uuid\": \"%s\", \"name\": ", uuid);
    print_string(p.name);
    printf(", \"matrix_gflops\": %.1f, \"memory_gb_s\": %.1f, \"ms\": %.3f, \"clock_mhz\": %.0f}\n",
           matrix, memory, ms, clock_mhz());
}

/* ---- scrub ------------------------------------------------------------ */

constexpr size_t LARGEST = (size_t)1 << 30, SMALLEST = (size_t)1 << 20;
constexpr int CHUNKS_MOST = 4096;

/* Memory is taken in ever smaller chunks until none of a MiB is left, and all of it is
 * kept until the end: what was given back could be given to us again, unlike what a
 * tenant has left elsewhere. */
static void scrub(const char *uuid) {
    choose(uuid);
    static void *chunk[CHUNKS_MOST];
    int count = 0;
    size_t scrubbed = 0;
    for (size_t size = LARGEST; size >= SMALLEST && count < CHUNKS_MOST;) {
        if (cudaMalloc(&chunk[count], size) != cudaSuccess) {
            cudaGetLastError(); /* which would otherwise be reported by the next call */
            size /= 2;
            continue;
        }
        CHECK(cudaMemset(chunk[count++], 0, size));
        scrubbed += size;
    }
    CHECK(cudaDeviceSynchronize());
    for (int i = 0; i < count; i++) CHECK(cudaFree(chunk[i]));
    printf("{\"uuid\": \"%s\", \"scrubbed_bytes\": %zu}\n", uuid, scrubbed);
}

/* It goes into JSON and into the environment: hexadecimal digits, dashes, and GPU or MIG */
static bool is_uuid(const char *text) {
    if (strncmp(text, "GPU-", 4) != 0 && strncmp(text, "MIG-", 4) != 0) return false;
    const size_t n = strlen(text);
    return n < 64 && strspn(text + 4, "0123456789abcdef-") == n - 4;
}

int main(int argc, char **argv) {
    if (argc != 3 || !is_uuid(argv[2]) ||
        (strcmp(argv[1], "measure") != 0 && strcmp(argv[1], "scrub") != 0)) {
        fprintf(stderr, "usage: paddock-gpu-gauge measure|scrub GPU-UUID|MIG-UUID\n");
        return 2;
    }
    if (strcmp(argv[1], "measure") == 0) measure(argv[2]);
    else scrub(argv[2]);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
