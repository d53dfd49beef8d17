/*
 * gpt.cu - a byte-level GPT on one GPU: training and prediction in one file of CUDA C++.
 *
 * Record 5: larger tiles and one launch. Tiles of 128 x 128, of which the next slice is
 * fetched while the present one is multiplied; a whole step is a CUDA graph.
 *
 *   ./gpt train      learn from $PADDOCK_DATA/train.txt, write $PADDOCK_OUT/model.bin
 *   ./gpt predict    answer an examiner on stdin/stdout with $PADDOCK_OUT/model.bin
 *
 * Conventions. A matrix is row-major. "Rows" are positions: a batch of BATCH sequences
 * of CTX bytes is a ROWS x DIM matrix, and a linear layer computes Y = X W with W stored
 * as [in][out]. Pointers to a Model or a Workspace are the GPU's unless they are called
 * host; d_something is the derivative of the loss with respect to something. No sum is
 * left to the order in which threads happen to arrive: a seed decides a run.
 */
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <errno.h>
#include <math.h>
#include <mma.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is trained -------------------------------------------------- */

constexpr int VOCAB = 256; /* a token is a byte */
constexpr int CTX = 128;   /* positions the model can see; fixed by the task */
constexpr int DIM = 256;   /* width of the residual stream */
constexpr int LAYERS = 4;
constexpr int HEADS = 4;
constexpr int HEAD = DIM / HEADS; /* width of one attention head */
constexpr int HIDDEN = 4 * DIM;   /* width inside the feed-forward block */

/* ---- how it is trained ------------------------------------------------ */

constexpr int BATCH = 64; /* sequences per step */
constexpr int ROWS = BATCH * CTX;
constexpr int STEPS = 1500;
constexpr int WARM_UP = 100; /* steps over which the learning rate rises to its value */
constexpr float LEARNING_RATE = 1e-3f;
constexpr float BETA1 = 0.9f, BETA2 = 0.95f; /* Adam's averaging */

/* ---- small tools ------------------------------------------------------ */

static void die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("gpt: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void check(cudaError_t error, const char *what) {
    if (error != cudaSuccess) die("%s: %s", what, cudaGetErrorString(error));
}

#define CHECK(call) check(call, #call)

static void *allocate(size_t bytes) /* on the host */
{
    void *p = calloc(1, bytes);
    if (!p) die("out of memory (%zu bytes)", bytes);
    return p;
}

static void *allocate_gpu(size_t bytes) /* all zeros */
{
    void *p = NULL;
    CHECK(cudaMalloc(&p, bytes));
    CHECK(cudaMemset(p, 0, bytes));
    return p;
}

static const char *environment(const char *name) {
    const char *value = getenv(name);
    if (!value || !*value) die("the environment variable %s is not set", name);
    return value;
}

static FILE *open_in(const char *directory, const char *name, const char *mode) {
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
        die("path too long: %s/%s", directory, name);
    FILE *f = fopen(path, mode);
    if (!f) die("cannot open %s: %s", path, strerror(errno));
    return f;
}

/* SplitMix64: every random choice of a run follows from PADDOCK_SEED. */
static uint64_t random_state;

static uint64_t random_u64(void) {
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static float random_uniform(void) /* in (0, 1) */
{
    return ((float)(random_u64() >> 41) + 0.5f) / (float)(1 << 23);
}

static float random_normal(void) /* Box-Muller */
{
    float radius = sqrtf(-2 * logf(random_uniform()));
    return radius * cosf(6.2831853f * random_uniform());
}

/* ---- launching -------------------------------------------------------- */

/* All work of a run is in one stream, in the order in which it is launched. */
static cudaStream_t stream;

constexpr int THREADS = 256; /* of a block, where nothing asks for another number */

static int blocks(size_t threads) /* that have so many threads between them */
{
    return (int)((threads + THREADS - 1) / THREADS);
}

static void begin(void) {
    int devices = 0;
    CHECK(cudaGetDeviceCount(&devices));
    if (devices < 1) die("there is no GPU");
    CHECK(cudaSetDevice(0));
    CHECK(cudaStreamCreate(&stream));
}

static void finish_launches(void) {
    CHECK(cudaGetLastError());
    CHECK(cudaStreamSynchronize(stream));
}

/* ---- parameters ------------------------------------------------------- */

struct Layer {
    float norm1_gain[DIM], norm1_bias[DIM];
    float qkv[DIM][3 * DIM]; /* queries, keys, values side by side */
    float out[DIM][DIM];     /* attention's way back to the stream */
    float norm2_gain[DIM], norm2_bias[DIM];
    float up[DIM][HIDDEN];
    float down[HIDDEN][DIM];
};

struct Model {
    float token[VOCAB][DIM];
    float position[CTX][DIM];
    Layer layer[LAYERS];
    float norm_gain[DIM], norm_bias[DIM];
    float head[DIM][VOCAB];
}; /* nothing but floats, so it can be walked as one array */

constexpr int PARAMETERS = sizeof(Model) / sizeof(float);

static void fill_normal(float *w, int n, float deviation) {
    for (int i = 0; i < n; i++) w[i] = deviation * random_normal();
}

static void fill_constant(float *w, int n, float value) {
    for (int i = 0; i < n; i++) w[i] = value;
}

static void initialise(Model *host) /* is all zeros */
{
    fill_normal(&host->token[0][0], VOCAB * DIM, 0.1f);
    fill_normal(&host->position[0][0], CTX * DIM, 0.1f);
    for (int l = 0; l < LAYERS; l++) {
        Layer *w = &host->layer[l];
        fill_constant(w->norm1_gain, DIM, 1);
        fill_constant(w->norm2_gain, DIM, 1);
        fill_normal(&w->qkv[0][0], DIM * 3 * DIM, 0.5f / sqrtf(DIM));
        fill_normal(&w->out[0][0], DIM * DIM, 0.5f / sqrtf(DIM));
        fill_normal(&w->up[0][0], DIM * HIDDEN, 0.5f / sqrtf(DIM));
        fill_normal(&w->down[0][0], HIDDEN * DIM, 0.5f / sqrtf(HIDDEN));
    }
    fill_constant(host->norm_gain, DIM, 1);
    fill_normal(&host->head[0][0], DIM * VOCAB, 0.02f);
}

/* ---- matrix products -------------------------------------------------- */

/* What one launch multiplies: for each z of the grid, c = a b, where c has n columns and
 * depth is the inner size; the steps lead from one z to the next. */
struct Product {
    float *c;
    const float *a, *b;
    int n, depth;
    int a_stride, b_stride; /* from one stored row to the next */
    size_t a_step, b_step, c_step;
    const float *extra; /* as c, where the epilogue reads another matrix */
    float *active;      /* as c, where it writes one */
};

/* GELU in its usual tanh form */
__device__ static float activation(float x) {
    return 0.5f * x * (1 + tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
}

__device__ static float slope(float x) {
    const float t = tanhf(0.79788456f * (x + 0.044715f * x * x * x));
    return 0.5f * (1 + t + x * (1 - t * t) * 0.79788456f * (1 + 3 * 0.044715f * x * x));
}

/* What becomes of a sum before it leaves for memory */
enum Epilogue {
    STORE,
    RESIDUAL,   /* added to extra */
    ACTIVATE,   /* stored, and its activation into active */
    ACTIVATE_D, /* multiplied by the activation's slope at extra */
};

template <Epilogue EPILOGUE> __device__ static void finish(const Product &p, size_t at, float sum) {
    if (EPILOGUE == RESIDUAL) sum += p.extra[at];
    if (EPILOGUE == ACTIVATE) p.active[at] = activation(sum);
    if (EPILOGUE == ACTIVATE_D) sum *= slope(p.extra[at]);
    p.c[at] = sum;
}

namespace wmma = nvcuda::wmma;
using Half = __nv_bfloat16;

constexpr int TILE = 128, DEPTH = 32; /* of c; and of a slice of a and b */
constexpr int WARPS_DOWN = 4, WARPS_ACROSS = 2;
constexpr int PRODUCT_THREADS = 32 * WARPS_DOWN * WARPS_ACROSS;
constexpr int PIECE = 16; /* what a tensor core multiplies is PIECE x PIECE x PIECE */
constexpr int DOWN = TILE / WARPS_DOWN / PIECE, ACROSS = TILE / WARPS_ACROSS / PIECE;
constexpr int PAD = 8; /* keeps the rows of a slice apart in the banks of shared memory */
constexpr int SLICE_4 = TILE * DEPTH / 4 / PRODUCT_THREADS; /* float4s of a thread */

/* A slice lies in shared memory as its matrix does in the GPU's: LONG rows of SHORT
 * neighbouring numbers. It is fetched into registers and from there stored as bfloat16. */
template <int SHORT> __device__ static void fetch_slice(float4 *to, const float *from, int stride) {
    for (int i = 0; i < SLICE_4; i++) {
        const int at = (i * PRODUCT_THREADS + (int)threadIdx.x) * 4;
        to[i] = *(const float4 *)(from + (size_t)(at / SHORT) * stride + at % SHORT);
    }
}

template <int SHORT> __device__ static void store_slice(Half *to, const float4 *from) {
    for (int i = 0; i < SLICE_4; i++) {
        const int at = (i * PRODUCT_THREADS + (int)threadIdx.x) * 4;
        Half *place = to + at / SHORT * (SHORT + PAD) + at % SHORT;
        place[0] = __float2bfloat16(from[i].x), place[1] = __float2bfloat16(from[i].y);
        place[2] = __float2bfloat16(from[i].z), place[3] = __float2bfloat16(from[i].w);
    }
}

template <bool T> struct Layout { using type = wmma::row_major; };
template <> struct Layout<true> { using type = wmma::col_major; };

/* A_T says that a is stored as its transpose, [k][m], and B_T that b is, [n][k]. Rows and
 * columns of c must be multiples of TILE, and depth one of DEPTH. */
template <bool A_T, bool B_T, Epilogue EPILOGUE>
__global__ void __launch_bounds__(PRODUCT_THREADS) product(Product p) {
    constexpr int A_SHORT = A_T ? TILE : DEPTH, B_SHORT = B_T ? DEPTH : TILE;
    constexpr int A_ROW = A_SHORT + PAD, B_ROW = B_SHORT + PAD;
    __shared__ __align__(32) Half a_slice[TILE * DEPTH / A_SHORT * A_ROW];
    __shared__ __align__(32) Half b_slice[TILE * DEPTH / B_SHORT * B_ROW];
    __shared__ __align__(32) float stage[PRODUCT_THREADS / 32][PIECE * PIECE];

    const int row = (int)blockIdx.y * TILE, column = (int)blockIdx.x * TILE;
    const int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    const int down = warp / WARPS_ACROSS * DOWN * PIECE;
    const int across = warp % WARPS_ACROSS * ACROSS * PIECE;
    const float *a = p.a + blockIdx.z * p.a_step + (A_T ? row : (size_t)row * p.a_stride);
    const float *b = p.b + blockIdx.z * p.b_step + (B_T ? (size_t)column * p.b_stride : column);
    const size_t a_next = A_T ? (size_t)DEPTH * p.a_stride : DEPTH;
    const size_t b_next = B_T ? DEPTH : (size_t)DEPTH * p.b_stride;

    wmma::fragment<wmma::accumulator, PIECE, PIECE, PIECE, float> sum[DOWN][ACROSS];
    for (int i = 0; i < DOWN; i++)
        for (int j = 0; j < ACROSS; j++) wmma::fill_fragment(sum[i][j], 0.0f);

    float4 a_new[SLICE_4], b_new[SLICE_4];
    fetch_slice<A_SHORT>(a_new, a, p.a_stride);
    fetch_slice<B_SHORT>(b_new, b, p.b_stride);
    for (int k = 0; k < p.depth; k += DEPTH) {
        store_slice<A_SHORT>(a_slice, a_new);
        store_slice<B_SHORT>(b_slice, b_new);
        __syncthreads();
        if (k + DEPTH < p.depth) { /* on their way while this slice is multiplied */
            a += a_next, b += b_next;
            fetch_slice<A_SHORT>(a_new, a, p.a_stride);
            fetch_slice<B_SHORT>(b_new, b, p.b_stride);
        }
        for (int d = 0; d < DEPTH; d += PIECE) {
            wmma::fragment<wmma::matrix_a, PIECE, PIECE, PIECE, Half, typename Layout<A_T>::type>
                left[DOWN];
            for (int i = 0; i < DOWN; i++) {
                const int r = down + i * PIECE;
                wmma::load_matrix_sync(left[i], a_slice + (A_T ? d * A_ROW + r : r * A_ROW + d),
                                       A_ROW);
            }
            for (int j = 0; j < ACROSS; j++) {
                wmma::fragment<wmma::matrix_b, PIECE, PIECE, PIECE, Half,
                               typename Layout<B_T>::type>
                    right;
                const int c = across + j * PIECE;
                wmma::load_matrix_sync(right, b_slice + (B_T ? c * B_ROW + d : d * B_ROW + c),
                                       B_ROW);
                for (int i = 0; i < DOWN; i++) wmma::mma_sync(sum[i][j], left[i], right, sum[i][j]);
            }
        }
        __syncthreads();
    }
    /* Which lane holds what of a fragment is not defined: the way out is through memory.
     * Unrolled, as a fragment that is chosen while it runs could not stay in registers. */
#pragma unroll
    for (int i = 0; i < DOWN; i++)
#pragma unroll
        for (int j = 0; j < ACROSS; j++) {
            wmma::store_matrix_sync(stage[warp], sum[i][j], PIECE, wmma::mem_row_major);
            __syncwarp();
            for (int e = lane; e < PIECE * PIECE; e += 32) {
                const int r = row + down + i * PIECE + e / PIECE;
                const int c = column + across + j * PIECE + e % PIECE;
                finish<EPILOGUE>(p, blockIdx.z * p.c_step + (size_t)r * p.n + (size_t)c,
                                 stage[warp][e]);
            }
            __syncwarp();
        }
}

constexpr int PARTS = 16; /* into which a sum over all rows is split */
static_assert(ROWS / PARTS % DEPTH == 0 && DIM % TILE == 0, "tiles must fit");

/* sum[i] = the sum over the parts of part[...][i] */
__global__ void sum_parts(float *sum, const float *part, int n) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= n) return;
    float s = 0;
    for (int p = 0; p < PARTS; p++) s += part[(size_t)p * n + i];
    sum[i] = s;
}

template <bool A_T, bool B_T, Epilogue EPILOGUE>
static void launch_product(const Product &p, int m, int n, int z) {
    const dim3 grid((unsigned)(n / TILE), (unsigned)(m / TILE), (unsigned)z);
    product<A_T, B_T, EPILOGUE><<<grid, PRODUCT_THREADS, 0, stream>>>(p);
}

/* y = x w : [rows][in] x [in][out], finished as the epilogue says */
template <Epilogue EPILOGUE = STORE>
static void matmul_forward(float *y, const float *x, const float *w, int rows, int in, int out,
                           const float *extra = NULL, float *active = NULL) {
    const Product p = {y, x, w, out, in, in, out, 0, 0, 0, extra, active};
    launch_product<false, false, EPILOGUE>(p, rows, out, 1);
}

/* dx = dy w^T, dw = x^T dy. The second sums over all rows for a small matrix: parts of it
 * are summed by blocks of their own, into scratch. */
template <Epilogue EPILOGUE = STORE>
static void matmul_backward(float *dx, float *dw, const float *dy, const float *x, const float *w,
                            float *scratch, int rows, int in, int out, const float *extra = NULL) {
    const Product back = {dx, dy, w, in, out, out, out, 0, 0, 0, extra, NULL};
    launch_product<false, true, EPILOGUE>(back, rows, in, 1);
    const int part = rows / PARTS;
    const Product weights = {
        scratch,          x,    dy,  out, part, in, out, (size_t)part * in, (size_t)part * out,
        (size_t)in * out, NULL, NULL};
    launch_product<true, false, STORE>(weights, in, out, PARTS);
    sum_parts<<<blocks((size_t)in * out), THREADS, 0, stream>>>(dw, scratch, in * out);
}

/* ---- layers ----------------------------------------------------------- */

/* The sum over the 32 lanes of a warp, in all of them */
__device__ static float warp_sum(float x) {
    for (int far = 16; far > 0; far /= 2) x += __shfl_xor_sync(0xffffffff, x, far);
    return x;
}

__device__ static float warp_max(float x) {
    for (int far = 16; far > 0; far /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffff, x, far));
    return x;
}

constexpr int WARPS = THREADS / 32; /* rows of a block, where a row is a warp's */
constexpr int SHARE = DIM / 32;     /* numbers of a row that a lane has */

/* LayerNorm, for each row: y = (x - mean) / deviation * gain + bias. A warp has a row;
 * mean and 1 / deviation are kept for the way back, stats[rows][2]. */
__global__ void norm_forward(float *y, float *stats, const float *x, const float *gain,
                             const float *bias, int rows) {
    const int r = (int)blockIdx.x * WARPS + (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    if (r >= rows) return;
    x += (size_t)r * DIM, y += (size_t)r * DIM;
    float own[SHARE], mean = 0, variance = 0;
    for (int i = 0; i < SHARE; i++) mean += own[i] = x[i * 32 + lane];
    mean = warp_sum(mean) / DIM;
    for (int i = 0; i < SHARE; i++) variance += (own[i] - mean) * (own[i] - mean);
    const float scale = 1 / sqrtf(warp_sum(variance) / DIM + 1e-5f);
    for (int i = 0; i < SHARE; i++) {
        const int c = i * 32 + lane;
        y[c] = (own[i] - mean) * scale * gain[c] + bias[c];
    }
    if (lane == 0) stats[2 * r] = mean, stats[2 * r + 1] = scale;
}

/* dx += ... : what flows through the norm joins what flows around it */
__global__ void norm_backward(float *dx, const float *dy, const float *x, const float *stats,
                              const float *gain) {
    const int r = (int)blockIdx.x * WARPS + (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    x += (size_t)r * DIM, dx += (size_t)r * DIM, dy += (size_t)r * DIM;
    const float mean = stats[2 * r], scale = stats[2 * r + 1];
    float unit[SHARE], flow[SHARE], along_ones = 0, along_x = 0;
    for (int i = 0; i < SHARE; i++) {
        const int c = i * 32 + lane;
        unit[i] = (x[c] - mean) * scale, flow[i] = dy[c] * gain[c];
        along_ones += flow[i], along_x += flow[i] * unit[i];
    }
    along_ones = warp_sum(along_ones) / DIM, along_x = warp_sum(along_x) / DIM;
    for (int i = 0; i < SHARE; i++)
        dx[i * 32 + lane] += scale * (flow[i] - along_ones - unit[i] * along_x);
}

/* The gradients of gain and bias, of one part of the rows: part[PARTS][2 DIM]. A block has
 * 32 columns, and each of its warps every WARPS-th row. */
__global__ void norm_gains(float *part, const float *dy, const float *x, const float *stats) {
    __shared__ float gain[WARPS][32], bias[WARPS][32];
    const int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    const int column = (int)blockIdx.x * 32 + lane, first = (int)blockIdx.y * (ROWS / PARTS);
    float g = 0, b = 0;
    for (int r = first + warp; r < first + ROWS / PARTS; r += WARPS) {
        const size_t at = (size_t)r * DIM + column;
        g += dy[at] * (x[at] - stats[2 * r]) * stats[2 * r + 1];
        b += dy[at];
    }
    gain[warp][lane] = g, bias[warp][lane] = b;
    __syncthreads();
    if (warp > 0) return;
    for (int w = 1; w < WARPS; w++) g += gain[w][lane], b += bias[w][lane];
    part += (size_t)blockIdx.y * 2 * DIM;
    part[column] = g, part[DIM + column] = b;
}

static void norm_back(float *dx, float *dgain /* and dbias behind it */, const float *dy,
                      const float *x, const float *stats, const float *gain, float *scratch) {
    norm_gains<<<dim3(DIM / 32, PARTS), THREADS, 0, stream>>>(scratch, dy, x, stats);
    sum_parts<<<blocks(2 * DIM), THREADS, 0, stream>>>(dgain, scratch, 2 * DIM);
    norm_backward<<<ROWS / WARPS, THREADS, 0, stream>>>(dx, dy, x, stats, gain);
}

/* Causal attention without a matrix of weights. A block has one head of one sequence; two
 * neighbouring threads share a position, the one with the even numbers of the head, the
 * other with the odd ones (neighbours in memory, so that they never meet in a bank). */
constexpr int ROW = 3 * DIM; /* floats from one position of qkv to the next */
constexpr int MINE = HEAD / 2, ATTENTION_THREADS = 2 * CTX;
constexpr int STRIP = 32; /* positions that are in shared memory at a time */
#define SCORE_SCALE (1 / sqrtf(HEAD))

__device__ static float both(float x) /* of the two threads of a position, the sum */
{
    return x + __shfl_xor_sync(0xffffffff, x, 1);
}

/* STRIP positions of one head, rows stride apart */
__device__ static void load_strip(float (*to)[HEAD], const float *from, int stride) {
    for (int i = (int)threadIdx.x; i < STRIP * HEAD; i += ATTENTION_THREADS)
        to[i / HEAD][i % HEAD] = from[(size_t)(i / HEAD) * stride + i % HEAD];
}

/* Every second number, from `half` on */
__device__ static void load_mine(float *to, const float *from, int half) {
    for (int i = 0; i < MINE; i++) to[i] = from[2 * i + half];
}

__device__ static float dot_mine(const float *mine, const float *row, int half) {
    float dot = 0;
    for (int i = 0; i < MINE; i++) dot += mine[i] * row[2 * i + half];
    return dot;
}

/* y, and the logarithm of the sum of each softmax, log_sum[BATCH][HEADS][CTX] */
__global__ void __launch_bounds__(ATTENTION_THREADS)
    attention_forward(float *y, float *log_sum, const float *qkv) {
    __shared__ float keys[STRIP][HEAD], values[STRIP][HEAD];
    const size_t b = blockIdx.x / HEADS;
    const int h = (int)(blockIdx.x % HEADS);
    const int t = (int)threadIdx.x / 2, half = (int)threadIdx.x % 2;
    const int warp_end = (t | 15) + 1; /* the warp's positions stay together */
    qkv += b * CTX * ROW + (size_t)(h * HEAD);

    float q[MINE], mix[MINE] = {}, max = -1e30f, sum = 0;
    load_mine(q, qkv + (size_t)t * ROW, half);
    for (int first = 0; first < CTX; first += STRIP) {
        __syncthreads();
        load_strip(keys, qkv + (size_t)first * ROW + DIM, ROW);
        load_strip(values, qkv + (size_t)first * ROW + 2 * DIM, ROW);
        __syncthreads();
        for (int s = first; s < first + STRIP && s < warp_end; s++) {
            const float score = both(dot_mine(q, keys[s - first], half)) * SCORE_SCALE;
            if (s > t) continue;
            const float top = fmaxf(max, score);
            const float shrink = expf(max - top), p = expf(score - top);
            for (int i = 0; i < MINE; i++)
                mix[i] = mix[i] * shrink + p * values[s - first][2 * i + half];
            sum = sum * shrink + p;
            max = top;
        }
    }
    y += (b * CTX + (size_t)t) * DIM + (size_t)(h * HEAD);
    for (int i = 0; i < MINE; i++) y[2 * i + half] = mix[i] / sum;
    if (half == 0) log_sum[(size_t)blockIdx.x * CTX + (size_t)t] = max + logf(sum);
}

/* The gradient of the queries, and along[BATCH][HEADS][CTX], dy times y, which the keys
 * need too */
__global__ void __launch_bounds__(ATTENTION_THREADS)
    attention_queries(float *dqkv, float *along, const float *dy, const float *y,
                      const float *log_sum, const float *qkv) {
    __shared__ float keys[STRIP][HEAD], values[STRIP][HEAD];
    const size_t b = blockIdx.x / HEADS;
    const int h = (int)(blockIdx.x % HEADS);
    const int t = (int)threadIdx.x / 2, half = (int)threadIdx.x % 2;
    const int warp_end = (t | 15) + 1;
    const size_t row = b * CTX + (size_t)t;
    qkv += b * CTX * ROW + (size_t)(h * HEAD);

    float q[MINE], d[MINE], dq[MINE] = {};
    load_mine(q, qkv + (size_t)t * ROW, half);
    load_mine(d, dy + row * DIM + (size_t)(h * HEAD), half);
    const float mean = both(dot_mine(d, y + row * DIM + (size_t)(h * HEAD), half));
    const float log_of_sum = log_sum[(size_t)blockIdx.x * CTX + (size_t)t];
    for (int first = 0; first < CTX; first += STRIP) {
        __syncthreads();
        load_strip(keys, qkv + (size_t)first * ROW + DIM, ROW);
        load_strip(values, qkv + (size_t)first * ROW + 2 * DIM, ROW);
        __syncthreads();
        for (int s = first; s < first + STRIP && s < warp_end; s++) {
            const float score = both(dot_mine(q, keys[s - first], half)) * SCORE_SCALE;
            const float dp = both(dot_mine(d, values[s - first], half));
            if (s > t) continue;
            const float dscore = expf(score - log_of_sum) * (dp - mean) * SCORE_SCALE;
            for (int i = 0; i < MINE; i++) dq[i] += dscore * keys[s - first][2 * i + half];
        }
    }
    dqkv += row * ROW + (size_t)(h * HEAD);
    for (int i = 0; i < MINE; i++) dqkv[2 * i + half] = dq[i];
    if (half == 0) along[(size_t)blockIdx.x * CTX + (size_t)t] = mean;
}

/* The gradients of keys and values; here a thread's position is a key, and the queries
 * from it on pass by */
__global__ void __launch_bounds__(ATTENTION_THREADS)
    attention_keys(float *dqkv, const float *along, const float *dy, const float *log_sum,
                   const float *qkv) {
    __shared__ float queries[STRIP][HEAD], flows[STRIP][HEAD];
    const size_t b = blockIdx.x / HEADS;
    const int h = (int)(blockIdx.x % HEADS);
    const int s = (int)threadIdx.x / 2, half = (int)threadIdx.x % 2;
    const int warp_begin = s & ~15;
    qkv += b * CTX * ROW + (size_t)(h * HEAD);
    dy += b * CTX * DIM + (size_t)(h * HEAD);
    along += (size_t)blockIdx.x * CTX, log_sum += (size_t)blockIdx.x * CTX;

    float k[MINE], v[MINE], dk[MINE] = {}, dv[MINE] = {};
    load_mine(k, qkv + (size_t)s * ROW + DIM, half);
    load_mine(v, qkv + (size_t)s * ROW + 2 * DIM, half);
    for (int first = 0; first < CTX; first += STRIP) {
        __syncthreads();
        load_strip(queries, qkv + (size_t)first * ROW, ROW);
        load_strip(flows, dy + (size_t)first * DIM, DIM);
        __syncthreads();
        for (int t = first > warp_begin ? first : warp_begin; t < first + STRIP; t++) {
            const float score = both(dot_mine(k, queries[t - first], half)) * SCORE_SCALE;
            const float dp = both(dot_mine(v, flows[t - first], half));
            if (t < s) continue;
            const float p = expf(score - log_sum[t]);
            const float dscore = p * (dp - along[t]) * SCORE_SCALE;
            for (int i = 0; i < MINE; i++) {
                dk[i] += dscore * queries[t - first][2 * i + half];
                dv[i] += p * flows[t - first][2 * i + half];
            }
        }
    }
    dqkv += (b * CTX + (size_t)s) * ROW + (size_t)(h * HEAD);
    for (int i = 0; i < MINE; i++)
        dqkv[DIM + 2 * i + half] = dk[i], dqkv[2 * DIM + 2 * i + half] = dv[i];
}

static void attention_backward(float *dqkv, float *along, const float *dy, const float *y,
                               const float *log_sum, const float *qkv) {
    attention_queries<<<BATCH * HEADS, ATTENTION_THREADS, 0, stream>>>(dqkv, along, dy, y, log_sum,
                                                                       qkv);
    attention_keys<<<BATCH * HEADS, ATTENTION_THREADS, 0, stream>>>(dqkv, along, dy, log_sum, qkv);
}

/* Softmax and cross-entropy, a warp a row: turns the logits into their own gradient,
 * multiplied by scale, and leaves each row's loss in nats. */
__global__ void loss_and_gradient(float *logits, float *loss, const unsigned char *target,
                                  float scale) {
    const int r = (int)blockIdx.x * WARPS + (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    logits += (size_t)r * VOCAB;
    float own[VOCAB / 32], max = -1e30f, sum = 0, right = 0;
    for (int i = 0; i < VOCAB / 32; i++) max = fmaxf(max, own[i] = logits[i * 32 + lane]);
    max = warp_max(max);
    for (int i = 0; i < VOCAB / 32; i++) {
        if (i * 32 + lane == target[r]) right = own[i] - max;
        sum += own[i] = expf(own[i] - max);
    }
    sum = warp_sum(sum), right = warp_sum(right); /* all lanes but one have zero */
    for (int i = 0; i < VOCAB / 32; i++)
        logits[i * 32 + lane] = own[i] * (scale / sum) - (i * 32 + lane == target[r] ? scale : 0);
    if (lane == 0) loss[r] = logf(sum) - right;
}

/* The bytes of a step and, one further, what follows them */
__global__ void gather(unsigned char *token, unsigned char *target, const unsigned char *text,
                       const uint32_t *start, const int *step) {
    const int r = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (r >= ROWS) return;
    start += (size_t)(*step - 1) * BATCH;
    const unsigned char *from = text + start[r / CTX] + r % CTX;
    token[r] = from[0], target[r] = from[1];
}

/* position >= 0 is that of all rows, otherwise a row's place in its sequence counts */
__global__ void embed(float *x, const Model *m, const unsigned char *token, int position,
                      int rows) {
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (size_t)rows * DIM) return;
    const int r = (int)(i / DIM), c = (int)(i % DIM);
    x[i] = m->token[token[r]][c] + m->position[position < 0 ? r % CTX : position][c];
}

/* A block has a token and looks for its rows in one part of all; a thread has a column. */
__global__ void embed_tokens(float *part, const float *dx, const unsigned char *token) {
    const int v = (int)blockIdx.x, c = (int)threadIdx.x, first = (int)blockIdx.y * (ROWS / PARTS);
    float sum = 0;
    for (int r = first; r < first + ROWS / PARTS; r++)
        if (token[r] == v) sum += dx[(size_t)r * DIM + c];
    part[((size_t)blockIdx.y * VOCAB + v) * DIM + c] = sum;
}

__global__ void embed_positions(Model *g, const float *dx) {
    const int t = (int)blockIdx.x, c = (int)threadIdx.x;
    float sum = 0;
    for (int b = 0; b < BATCH; b++) sum += dx[((size_t)b * CTX + t) * DIM + c];
    g->position[t][c] = sum;
}

/* ---- one step, forwards and backwards --------------------------------- */

struct Workspace {
    struct {
        float x[ROWS * DIM]; /* the stream as it enters the layer */
        float normed1[ROWS * DIM], qkv[ROWS * 3 * DIM], mixed[ROWS * DIM];
        float log_sum[ROWS * HEADS];
        float mid[ROWS * DIM]; /* the stream after attention */
        float normed2[ROWS * DIM], up[ROWS * HIDDEN], active[ROWS * HIDDEN];
        float stats1[ROWS * 2], stats2[ROWS * 2];
    } layer[LAYERS];
    float x[ROWS * DIM], stats[ROWS * 2], normed[ROWS * DIM], logits[ROWS * VOCAB], loss[ROWS];
    /* gradients, used again for every layer */
    float dx[ROWS * DIM], dsmall[ROWS * DIM], dqkv[ROWS * 3 * DIM], dhidden[ROWS * HIDDEN];
    float along[ROWS * HEADS];
    float scratch[PARTS * DIM * HIDDEN]; /* no gradient of a matrix is larger */
    unsigned char token[ROWS], target[ROWS];
};
static_assert(VOCAB <= HIDDEN, "the scratch must hold the gradient of the embedding");

static void norm(float *y, float *stats, const float *x, const float *gain, const float *bias,
                 int rows) {
    norm_forward<<<rows / WARPS, THREADS, 0, stream>>>(y, stats, x, gain, bias, rows);
}

static void forward(Workspace *w, const Model *m) {
    embed<<<blocks((size_t)ROWS * DIM), THREADS, 0, stream>>>(w->layer[0].x, m, w->token, -1, ROWS);
    for (int l = 0; l < LAYERS; l++) {
        const Layer *p = &m->layer[l];
        auto *a = &w->layer[l];
        norm(a->normed1, a->stats1, a->x, p->norm1_gain, p->norm1_bias, ROWS);
        matmul_forward(a->qkv, a->normed1, &p->qkv[0][0], ROWS, DIM, 3 * DIM);
        attention_forward<<<BATCH * HEADS, ATTENTION_THREADS, 0, stream>>>(a->mixed, a->log_sum,
                                                                           a->qkv);
        matmul_forward<RESIDUAL>(a->mid, a->mixed, &p->out[0][0], ROWS, DIM, DIM, a->x);

        norm(a->normed2, a->stats2, a->mid, p->norm2_gain, p->norm2_bias, ROWS);
        matmul_forward<ACTIVATE>(a->up, a->normed2, &p->up[0][0], ROWS, DIM, HIDDEN, NULL,
                                 a->active);
        matmul_forward<RESIDUAL>(l + 1 < LAYERS ? w->layer[l + 1].x : w->x, a->active,
                                 &p->down[0][0], ROWS, HIDDEN, DIM, a->mid);
    }
    norm(w->normed, w->stats, w->x, m->norm_gain, m->norm_bias, ROWS);
    matmul_forward(w->logits, w->normed, &m->head[0][0], ROWS, DIM, VOCAB);
}

/* Expects the logits' gradient in their place; leaves all of g. */
static void backward(Workspace *w, const Model *m, Model *g) {
    float *const scratch = w->scratch;
    matmul_backward(w->dsmall, &g->head[0][0], w->logits, w->normed, &m->head[0][0], scratch, ROWS,
                    DIM, VOCAB);
    CHECK(cudaMemsetAsync(w->dx, 0, sizeof w->dx, stream));
    norm_back(w->dx, g->norm_gain, w->dsmall, w->x, w->stats, m->norm_gain, scratch);
    for (int l = LAYERS - 1; l >= 0; l--) {
        const Layer *p = &m->layer[l];
        Layer *d = &g->layer[l];
        auto *a = &w->layer[l];
        matmul_backward<ACTIVATE_D>(w->dhidden, &d->down[0][0], w->dx, a->active, &p->down[0][0],
                                    scratch, ROWS, HIDDEN, DIM, a->up);
        matmul_backward(w->dsmall, &d->up[0][0], w->dhidden, a->normed2, &p->up[0][0], scratch,
                        ROWS, DIM, HIDDEN);
        norm_back(w->dx, d->norm2_gain, w->dsmall, a->mid, a->stats2, p->norm2_gain, scratch);

        matmul_backward(w->dsmall, &d->out[0][0], w->dx, a->mixed, &p->out[0][0], scratch, ROWS,
                        DIM, DIM);
        attention_backward(w->dqkv, w->along, w->dsmall, a->mixed, a->log_sum, a->qkv);
        matmul_backward(w->dsmall, &d->qkv[0][0], w->dqkv, a->normed1, &p->qkv[0][0], scratch, ROWS,
                        DIM, 3 * DIM);
        norm_back(w->dx, d->norm1_gain, w->dsmall, a->x, a->stats1, p->norm1_gain, scratch);
    }
    embed_tokens<<<dim3(VOCAB, PARTS), DIM, 0, stream>>>(scratch, w->dx, w->token);
    sum_parts<<<blocks(VOCAB * DIM), THREADS, 0, stream>>>(&g->token[0][0], scratch, VOCAB * DIM);
    embed_positions<<<CTX, DIM, 0, stream>>>(g, w->dx);
}

static void loss_of(Workspace *w) {
    loss_and_gradient<<<ROWS / WARPS, THREADS, 0, stream>>>(w->logits, w->loss, w->target,
                                                            1.0f / ROWS);
}

/* ---- optimiser -------------------------------------------------------- */

struct Optimiser {
    Model mean, square; /* running averages of the gradient and of its square */
};

__device__ static float schedule(int step) {
    return step < WARM_UP ? (float)step / WARM_UP : 1;
}

/* Adam over n parameters. A graph repeats its arguments, so that what changes from step to
 * step is read from memory. */
__global__ void adam(float *w, const float *g, float *mean, float *square, int n,
                     const int *step_now) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= n) return;
    const int step = *step_now;
    const float rate = LEARNING_RATE * schedule(step);
    const float correct1 = 1 / (1 - powf(BETA1, (float)step));
    const float correct2 = 1 / (1 - powf(BETA2, (float)step));
    const float m = mean[i] + (1 - BETA1) * (g[i] - mean[i]);
    const float s = square[i] + (1 - BETA2) * (g[i] * g[i] - square[i]);
    mean[i] = m, square[i] = s;
    w[i] -= rate * m * correct1 / (sqrtf(s * correct2) + 1e-8f);
}

__global__ void advance(int *step) {
    ++*step;
}

static void update(Model *m, const Model *g, Optimiser *o, int *step) {
    adam<<<blocks(PARAMETERS), THREADS, 0, stream>>>(
        (float *)m, (const float *)g, (float *)&o->mean, (float *)&o->square, PARAMETERS, step);
    advance<<<1, 1, 0, stream>>>(step);
}

/* ---- the model on disk ------------------------------------------------ */

/* A file begins with what it was trained as; another shape is refused. */
static const uint32_t FILE_HEADER[] = {
    0x43504754 /* "TGPC" */, 5 /* record */, VOCAB, CTX, DIM, LAYERS, HEADS, HIDDEN, PARAMETERS};

static void save(const Model *m) {
    Model *host = (Model *)allocate(sizeof *host);
    CHECK(cudaMemcpy(host, m, sizeof *host, cudaMemcpyDeviceToHost));
    FILE *f = open_in(environment("PADDOCK_OUT"), "model.bin", "wb");
    const bool good =
        fwrite(FILE_HEADER, sizeof FILE_HEADER, 1, f) == 1 && fwrite(host, sizeof *host, 1, f) == 1;
    if (fclose(f) != 0 || !good) die("cannot write model.bin: %s", strerror(errno));
    free(host);
}

static Model *load(void) {
    Model *host = (Model *)allocate(sizeof *host);
    FILE *f = open_in(environment("PADDOCK_OUT"), "model.bin", "rb");
    uint32_t header[sizeof FILE_HEADER / sizeof FILE_HEADER[0]];
    if (fread(header, sizeof header, 1, f) != 1) die("model.bin is too short");
    if (memcmp(header, FILE_HEADER, sizeof header) != 0)
        die("model.bin was not written by this program");
    if (fread(host, sizeof *host, 1, f) != 1) die("model.bin is too short");
    if (fgetc(f) != EOF) die("model.bin is too long");
    fclose(f);
    for (int i = 0; i < PARAMETERS; i++)
        if (!isfinite(((const float *)host)[i])) die("model.bin holds a number that is not finite");
    Model *m = (Model *)allocate_gpu(sizeof *m);
    CHECK(cudaMemcpy(m, host, sizeof *m, cudaMemcpyHostToDevice));
    free(host);
    return m;
}

/* ---- train ------------------------------------------------------------ */

static unsigned char *read_text(size_t *length) {
    FILE *f = open_in(environment("PADDOCK_DATA"), "train.txt", "rb");
    const long size = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    if (size < 0 || size > 1 << 30) die("train.txt is not a file of a usable size");
    if (size <= CTX) die("train.txt is too short: %ld bytes", size);
    unsigned char *text = (unsigned char *)allocate((size_t)size);
    rewind(f);
    if (fread(text, 1, (size_t)size, f) != (size_t)size) die("cannot read train.txt");
    fclose(f);
    *length = (size_t)size;
    return text;
}

/* What the GPU holds during training */
struct Training {
    Model *m, *g;
    Optimiser *o;
    Workspace *w;
    unsigned char *text;
    uint32_t *starts; /* of the sequences of every step, [STEPS][BATCH] */
    int *step;
};

static Training prepare(void) {
    size_t length;
    unsigned char *text = read_text(&length);
    Model *host = (Model *)allocate(sizeof *host);
    initialise(host);
    uint32_t *starts = (uint32_t *)allocate(sizeof(uint32_t) * STEPS * BATCH);
    for (int i = 0; i < STEPS * BATCH; i++) starts[i] = (uint32_t)(random_u64() % (length - CTX));

    Training t = {};
    t.m = (Model *)allocate_gpu(sizeof *t.m), t.g = (Model *)allocate_gpu(sizeof *t.g);
    t.o = (Optimiser *)allocate_gpu(sizeof *t.o);
    t.w = (Workspace *)allocate_gpu(sizeof *t.w);
    t.text = (unsigned char *)allocate_gpu(length);
    t.starts = (uint32_t *)allocate_gpu(sizeof(uint32_t) * STEPS * BATCH);
    CHECK(cudaMemcpy(t.m, host, sizeof *host, cudaMemcpyHostToDevice));
    CHECK(cudaMemcpy(t.text, text, length, cudaMemcpyHostToDevice));
    CHECK(cudaMemcpy(t.starts, starts, sizeof(uint32_t) * STEPS * BATCH, cudaMemcpyHostToDevice));
    const int first = 1;
    t.step = (int *)allocate_gpu(sizeof *t.step);
    CHECK(cudaMemcpy(t.step, &first, sizeof first, cudaMemcpyHostToDevice));
    free(starts), free(host), free(text);
    return t;
}

static void train_step(const Training &t) {
    gather<<<blocks(ROWS), THREADS, 0, stream>>>(t.w->token, t.w->target, t.text, t.starts, t.step);
    forward(t.w, t.m);
    loss_of(t.w);
    backward(t.w, t.m, t.g);
    update(t.m, t.g, t.o, t.step);
}

/* All launches of a step, recorded once, to be repeated by one launch */
static cudaGraphExec_t record_step(const Training &t) {
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    train_step(t);
    CHECK(cudaStreamEndCapture(stream, &graph));
    CHECK(cudaGraphInstantiateWithFlags(&exec, graph, 0));
    CHECK(cudaGraphDestroy(graph));
    return exec;
}

static void report(const Workspace *w, int step) {
    static float loss[ROWS];
    finish_launches();
    CHECK(cudaMemcpy(loss, w->loss, sizeof loss, cudaMemcpyDeviceToHost));
    double sum = 0;
    for (int r = 0; r < ROWS; r++) sum += loss[r];
    printf("step %d/%d train_loss %.4f bpb\n", step, STEPS, sum / (ROWS * 0.69314718));
    fflush(stdout);
}

static void train(void) {
    const char *seed = environment("PADDOCK_SEED");
    environment("PADDOCK_OUT"); /* if it is missing, say so before the work */
    char *end;
    errno = 0;
    random_state = strtoull(seed, &end, 10);
    if (errno || *end || *seed < '0' || *seed > '9') die("PADDOCK_SEED is not a number: %s", seed);

    begin();
    const Training t = prepare();
    const cudaGraphExec_t exec = record_step(t);
    for (int step = 1; step <= STEPS; step++) {
        CHECK(cudaGraphLaunch(exec, stream));
        if (step % 100 == 0 || step == STEPS) report(t.w, step);
    }
    save(t.m); /* the GPU's memory goes with the process */
}

/* ---- predict ---------------------------------------------------------- */

constexpr uint32_t MAGIC = 0x534C4450 /* "PDLS" */, VERSION = 1;
constexpr uint32_t OP_END = 0, OP_RESET = 1, OP_STEP = 2;

static bool read_u32(uint32_t *values, size_t n) {
    return fread(values, sizeof *values, n, stdin) == n;
}

/* Many streams advance together, one token each. The keys and values of the last CTX
 * positions are kept in a ring, so that a step costs one position. Rows are the streams,
 * filled up to a whole number of tiles. */
struct Predictor {
    int streams, rows, position;
    unsigned char *token;
    float *x, *stats, *normed, *qkv, *mixed, *hidden, *active, *branch, *logits;
    float *cache[LAYERS]; /* [rows][CTX][2 DIM]: key and value */
};

constexpr int ROWS_MULTIPLE = 128;

/* The new keys and values go into slot; then each stream's query looks at what is visible.
 * A block has one head of one stream, a thread one number of it. */
__global__ void attend_cached(float *y, float *cache, const float *qkv, int slot, int visible) {
    __shared__ float p[CTX];
    const int h = (int)blockIdx.y, i = (int)threadIdx.x;
    const size_t b = blockIdx.x;
    const float *q = qkv + b * 3 * DIM + (size_t)(h * HEAD);
    cache += b * CTX * 2 * DIM + (size_t)(h * HEAD);
    cache[(size_t)slot * 2 * DIM + i] = q[DIM + i];
    cache[(size_t)slot * 2 * DIM + DIM + i] = q[2 * DIM + i];
    __syncthreads();
    for (int s = i; s < visible; s += HEAD) {
        float dot = 0;
        for (int j = 0; j < HEAD; j++) dot += q[j] * cache[(size_t)s * 2 * DIM + j];
        p[s] = dot * SCORE_SCALE;
    }
    __syncthreads();
    float max = -1e30f, sum = 0, mix = 0;
    for (int s = 0; s < visible; s++) max = p[s] > max ? p[s] : max;
    for (int s = 0; s < visible; s++) {
        const float weight = expf(p[s] - max);
        sum += weight, mix += weight * cache[(size_t)s * 2 * DIM + DIM + i];
    }
    y[b * DIM + (size_t)(h * HEAD) + i] = mix / sum;
}

static void predict_step(Predictor *s, const Model *m) {
    const int n = s->rows, slot = s->position % CTX;
    const int visible = s->position < CTX ? s->position + 1 : CTX;
    embed<<<blocks((size_t)n * DIM), THREADS, 0, stream>>>(s->x, m, s->token, visible - 1, n);
    for (int l = 0; l < LAYERS; l++) {
        const Layer *p = &m->layer[l];
        norm(s->normed, s->stats, s->x, p->norm1_gain, p->norm1_bias, n);
        matmul_forward(s->qkv, s->normed, &p->qkv[0][0], n, DIM, 3 * DIM);
        attend_cached<<<dim3((unsigned)n, HEADS), HEAD, 0, stream>>>(s->mixed, s->cache[l], s->qkv,
                                                                     slot, visible);
        matmul_forward<RESIDUAL>(s->branch, s->mixed, &p->out[0][0], n, DIM, DIM, s->x);

        norm(s->normed, s->stats, s->branch, p->norm2_gain, p->norm2_bias, n);
        matmul_forward<ACTIVATE>(s->hidden, s->normed, &p->up[0][0], n, DIM, HIDDEN, NULL,
                                 s->active);
        matmul_forward<RESIDUAL>(s->x, s->active, &p->down[0][0], n, HIDDEN, DIM, s->branch);
    }
    norm(s->normed, s->stats, s->x, m->norm_gain, m->norm_bias, n);
    matmul_forward(s->logits, s->normed, &m->head[0][0], n, DIM, VOCAB);
    s->position++;
}

static Predictor prepare_predictor(int streams) {
    Predictor s = {};
    s.streams = streams;
    s.rows = (streams + ROWS_MULTIPLE - 1) / ROWS_MULTIPLE * ROWS_MULTIPLE;
    const size_t n = (size_t)s.rows;
    s.token = (unsigned char *)allocate_gpu(n);
    float **buffers[] = {&s.x,      &s.stats,  &s.normed, &s.qkv,   &s.mixed,
                         &s.hidden, &s.active, &s.branch, &s.logits};
    const size_t widths[] = {DIM, 2, DIM, 3 * DIM, DIM, HIDDEN, HIDDEN, DIM, VOCAB};
    for (int i = 0; i < 9; i++) *buffers[i] = (float *)allocate_gpu(n * widths[i] * sizeof(float));
    for (int l = 0; l < LAYERS; l++)
        s.cache[l] = (float *)allocate_gpu(n * CTX * 2 * DIM * sizeof(float));
    return s;
}

static int greet(void) /* how many streams there are */
{
    uint32_t hello[5];
    if (!read_u32(hello, 5)) die("the examiner said nothing");
    if (hello[0] != MAGIC || hello[1] != VERSION) die("the examiner speaks another protocol");
    if (hello[2] < 1 || hello[2] > 1024) die("cannot serve %u streams", hello[2]);
    if (hello[3] != VOCAB) die("the examiner wants %u tokens, not %d", hello[3], VOCAB);
    if (hello[4] < 1 || hello[4] > 4096) die("cannot serve streams of %u tokens", hello[4]);
    return (int)hello[2];
}

/* The streams' next tokens are read, and their scores answered */
static void answer(Predictor *s, const Model *m, unsigned char *token, float *logits) {
    const size_t n = (size_t)s->streams;
    CHECK(cudaMemcpy(s->token, token, n, cudaMemcpyHostToDevice));
    predict_step(s, m);
    finish_launches();
    CHECK(cudaMemcpy(logits, s->logits, n * VOCAB * sizeof(float), cudaMemcpyDeviceToHost));
    if (fwrite(logits, sizeof(float) * VOCAB, n, stdout) != n || fflush(stdout) != 0)
        die("cannot answer: %s", strerror(errno));
}

static void predict(void) {
    begin();
    const Model *m = load();
    const size_t n = (size_t)greet();
    Predictor s = prepare_predictor((int)n);
    const uint32_t greeting[2] = {MAGIC, VERSION};
    fwrite(greeting, sizeof greeting, 1, stdout);
    fflush(stdout);

    uint32_t op, *tokens = (uint32_t *)allocate(n * sizeof *tokens);
    unsigned char *bytes = (unsigned char *)allocate(n);
    float *logits = (float *)allocate(n * VOCAB * sizeof *logits);
    while (read_u32(&op, 1) && op != OP_END) {
        if (op == OP_RESET) {
            s.position = 0;
        } else if (op == OP_STEP) {
            if (!read_u32(tokens, n)) break;
            for (size_t b = 0; b < n; b++) {
                if (tokens[b] >= VOCAB) die("token %u is out of range", tokens[b]);
                bytes[b] = (unsigned char)tokens[b];
            }
            answer(&s, m, bytes, logits);
        } else {
            die("unknown operation %u", op);
        }
    }
    free(logits), free(bytes), free(tokens);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "train") == 0) train();
    else if (argc == 2 && strcmp(argv[1], "predict") == 0) predict();
    else die("usage: gpt train | gpt predict");
    return 0;
}
