/*
 * gpt.cu - a byte-level GPT on one GPU: training and prediction in one file of CUDA C++.
 *
 * Record 1: the baseline. Obvious kernels, one thread for each number of a result; the
 * block of GPT-2; Adam with a constant learning rate.
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
#include <cuda_runtime.h>
#include <errno.h>
#include <math.h>
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

/* c = a b : [m][k] x [k][n]. A_T says that a is stored as its transpose, [k][m], and
 * B_T that b is, [n][k]. One thread, one number of c. */
template <bool A_T, bool B_T>
__global__ void product(float *c, const float *a, const float *b, int m, int n, int k) {
    const int column = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    const int row = (int)(blockIdx.y * blockDim.y + threadIdx.y);
    if (row >= m || column >= n) return;
    float sum = 0;
    for (int i = 0; i < k; i++) {
        const float left = A_T ? a[(size_t)i * m + row] : a[(size_t)row * k + i];
        const float right = B_T ? b[(size_t)column * k + i] : b[(size_t)i * n + column];
        sum += left * right;
    }
    c[(size_t)row * n + column] = sum;
}

template <bool A_T, bool B_T>
static void launch_product(float *c, const float *a, const float *b, int m, int n, int k) {
    const dim3 block(32, 8), grid((unsigned)(n + 31) / 32, (unsigned)(m + 7) / 8);
    product<A_T, B_T><<<grid, block, 0, stream>>>(c, a, b, m, n, k);
}

/* y = x w : [rows][in] x [in][out] */
static void matmul_forward(float *y, const float *x, const float *w, int rows, int in, int out) {
    launch_product<false, false>(y, x, w, rows, out, in);
}

/* dx = dy w^T, dw = x^T dy */
static void matmul_backward(float *dx, float *dw, const float *dy, const float *x, const float *w,
                            int rows, int in, int out) {
    launch_product<false, true>(dx, dy, w, rows, in, out);
    launch_product<true, false>(dw, x, dy, in, out, rows);
}

/* ---- layers ----------------------------------------------------------- */

__global__ void add(float *y, const float *a, const float *b, int n) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < n) y[i] = a[i] + b[i];
}

/* LayerNorm, for each row: y = (x - mean) / deviation * gain + bias. A thread has a row;
 * mean and 1 / deviation are kept for the way back, stats[rows][2]. */
__global__ void norm_forward(float *y, float *stats, const float *x, const float *gain,
                             const float *bias, int rows) {
    const int r = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (r >= rows) return;
    x += (size_t)r * DIM, y += (size_t)r * DIM;
    float mean = 0, variance = 0;
    for (int i = 0; i < DIM; i++) mean += x[i] / DIM;
    for (int i = 0; i < DIM; i++) variance += (x[i] - mean) * (x[i] - mean) / DIM;
    const float scale = 1 / sqrtf(variance + 1e-5f);
    for (int i = 0; i < DIM; i++) y[i] = (x[i] - mean) * scale * gain[i] + bias[i];
    stats[2 * r] = mean, stats[2 * r + 1] = scale;
}

/* dx += ... : what flows through the norm joins what flows around it */
__global__ void norm_backward(float *dx, const float *dy, const float *x, const float *stats,
                              const float *gain) {
    const int r = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (r >= ROWS) return;
    x += (size_t)r * DIM, dx += (size_t)r * DIM, dy += (size_t)r * DIM;
    const float mean = stats[2 * r], scale = stats[2 * r + 1];
    float along_ones = 0, along_x = 0;
    for (int i = 0; i < DIM; i++) {
        along_ones += dy[i] * gain[i] / DIM;
        along_x += dy[i] * gain[i] * (x[i] - mean) * scale / DIM;
    }
    for (int i = 0; i < DIM; i++)
        dx[i] += scale * (dy[i] * gain[i] - along_ones - (x[i] - mean) * scale * along_x);
}

/* The gradients of gain and bias; a thread has a column */
__global__ void norm_gains(float *dgain, float *dbias, const float *dy, const float *x,
                           const float *stats) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= DIM) return;
    float gain = 0, bias = 0;
    for (int r = 0; r < ROWS; r++) {
        const size_t at = (size_t)r * DIM + i;
        gain += dy[at] * (x[at] - stats[2 * r]) * stats[2 * r + 1];
        bias += dy[at];
    }
    dgain[i] = gain, dbias[i] = bias;
}

/* GELU in its usual tanh form */
__global__ void activation_forward(float *y, const float *x, int n) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= n) return;
    const float t = tanhf(0.79788456f * (x[i] + 0.044715f * x[i] * x[i] * x[i]));
    y[i] = 0.5f * x[i] * (1 + t);
}

__global__ void activation_backward(float *dx, const float *dy, const float *x, int n) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= n) return;
    const float t = tanhf(0.79788456f * (x[i] + 0.044715f * x[i] * x[i] * x[i]));
    const float dt = (1 - t * t) * 0.79788456f * (1 + 3 * 0.044715f * x[i] * x[i]);
    dx[i] = dy[i] * 0.5f * (1 + t + x[i] * dt);
}

/* Causal attention. prob keeps the weights of every sequence and head for the way back,
 * [BATCH][HEADS][CTX][CTX], of which the part above the diagonal is never touched. */
constexpr int ROW = 3 * DIM; /* floats from one position of qkv to the next */
constexpr size_t WEIGHTS = (size_t)BATCH * HEADS * CTX * CTX;

/* The place of a weight: its query's row and its key's row of the batch, and the head */
struct Place {
    int t, s, h;
    size_t query, key;
};

__device__ static Place place_of(size_t i) {
    Place p;
    p.s = (int)(i % CTX), p.t = (int)(i / CTX % CTX), p.h = (int)(i / (CTX * CTX) % HEADS);
    const size_t b = i / ((size_t)CTX * CTX * HEADS);
    p.query = b * CTX + (size_t)p.t, p.key = b * CTX + (size_t)p.s;
    return p;
}

/* score = q k, a thread a score. Also used with other rows: see attention_d. */
__global__ void attention_scores(float *prob, const float *qkv) {
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= WEIGHTS) return;
    const Place p = place_of(i);
    if (p.s > p.t) return;
    const float *q = qkv + p.query * ROW + p.h * HEAD, *k = qkv + p.key * ROW + DIM + p.h * HEAD;
    float dot = 0;
    for (int j = 0; j < HEAD; j++) dot += q[j] * k[j];
    prob[i] = dot / sqrtf(HEAD);
}

/* The scores of a query become weights; a thread has a query of one head */
__global__ void attention_softmax(float *prob) {
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= WEIGHTS / CTX) return;
    float *p = prob + i * CTX, max = -1e30f, sum = 0;
    const int t = (int)(i % CTX);
    for (int s = 0; s <= t; s++) max = p[s] > max ? p[s] : max;
    for (int s = 0; s <= t; s++) sum += p[s] = expf(p[s] - max);
    for (int s = 0; s <= t; s++) p[s] /= sum;
}

/* y = the mixture of values; a thread has one number of it */
__global__ void attention_mix(float *y, const float *prob, const float *qkv) {
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (size_t)ROWS * DIM) return;
    const size_t row = i / DIM, b = row / CTX;
    const int column = (int)(i % DIM), h = column / HEAD, t = (int)(row % CTX);
    const float *p = prob + ((b * HEADS + (size_t)h) * CTX + (size_t)t) * CTX;
    float sum = 0;
    for (int s = 0; s <= t; s++) sum += p[s] * qkv[(b * CTX + (size_t)s) * ROW + 2 * DIM + column];
    y[i] = sum;
}

/* The gradient of each weight */
__global__ void attention_dprob(float *dprob, const float *dy, const float *qkv) {
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= WEIGHTS) return;
    const Place p = place_of(i);
    if (p.s > p.t) return;
    const float *d = dy + p.query * DIM + p.h * HEAD, *v = qkv + p.key * ROW + 2 * DIM + p.h * HEAD;
    float dot = 0;
    for (int j = 0; j < HEAD; j++) dot += d[j] * v[j];
    dprob[i] = dot;
}

/* ... and from it, in place, that of each score */
__global__ void attention_dscores(float *dprob, const float *prob) {
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= WEIGHTS / CTX) return;
    const float *p = prob + i * CTX;
    float *d = dprob + i * CTX, mean = 0;
    const int t = (int)(i % CTX);
    for (int s = 0; s <= t; s++) mean += p[s] * d[s];
    for (int s = 0; s <= t; s++) d[s] = p[s] * (d[s] - mean) / sqrtf(HEAD);
}

/* ... and of queries, keys and values; a thread has one number of dqkv */
__global__ void attention_dqkv(float *dqkv, const float *dscore, const float *prob, const float *dy,
                               const float *qkv) {
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (size_t)ROWS * ROW) return;
    const size_t row = i / ROW, b = row / CTX, first = b * CTX;
    const int kind = (int)(i % ROW) / DIM, column = (int)(i % DIM), h = column / HEAD;
    const size_t t = row % CTX, square = (b * HEADS + (size_t)h) * CTX * CTX;
    float sum = 0;
    if (kind == 0)
        for (size_t s = 0; s <= t; s++)
            sum += dscore[square + t * CTX + s] * qkv[(first + s) * ROW + DIM + column];
    else if (kind == 1)
        for (size_t u = t; u < CTX; u++)
            sum += dscore[square + u * CTX + t] * qkv[(first + u) * ROW + column];
    else
        for (size_t u = t; u < CTX; u++)
            sum += prob[square + u * CTX + t] * dy[(first + u) * DIM + column];
    dqkv[i] = sum;
}

static void attention_forward(float *y, float *prob, const float *qkv) {
    attention_scores<<<blocks(WEIGHTS), THREADS, 0, stream>>>(prob, qkv);
    attention_softmax<<<blocks(WEIGHTS / CTX), THREADS, 0, stream>>>(prob);
    attention_mix<<<blocks((size_t)ROWS * DIM), THREADS, 0, stream>>>(y, prob, qkv);
}

static void attention_backward(float *dqkv, float *dprob, const float *dy, const float *prob,
                               const float *qkv) {
    attention_dprob<<<blocks(WEIGHTS), THREADS, 0, stream>>>(dprob, dy, qkv);
    attention_dscores<<<blocks(WEIGHTS / CTX), THREADS, 0, stream>>>(dprob, prob);
    attention_dqkv<<<blocks((size_t)ROWS * ROW), THREADS, 0, stream>>>(dqkv, dprob, prob, dy, qkv);
}

/* Softmax and cross-entropy, a thread a row: turns the logits into their own gradient,
 * multiplied by scale, and leaves each row's loss in nats. */
__global__ void loss_and_gradient(float *logits, float *loss, const unsigned char *target,
                                  float scale) {
    const int r = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (r >= ROWS) return;
    logits += (size_t)r * VOCAB;
    float max = logits[0], sum = 0;
    for (int v = 1; v < VOCAB; v++) max = logits[v] > max ? logits[v] : max;
    const float right = logits[target[r]] - max;
    for (int v = 0; v < VOCAB; v++) sum += logits[v] = expf(logits[v] - max);
    for (int v = 0; v < VOCAB; v++) logits[v] *= scale / sum;
    logits[target[r]] -= scale;
    loss[r] = logf(sum) - right;
}

/* The bytes of a step and, one further, what follows them */
__global__ void gather(unsigned char *token, unsigned char *target, const unsigned char *text,
                       const uint32_t *start) {
    const int r = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (r >= ROWS) return;
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

/* A block has a token and looks for its rows; a thread has a column. */
__global__ void embed_tokens(Model *g, const float *dx, const unsigned char *token) {
    const int v = (int)blockIdx.x, c = (int)threadIdx.x;
    float sum = 0;
    for (int r = 0; r < ROWS; r++)
        if (token[r] == v) sum += dx[(size_t)r * DIM + c];
    g->token[v][c] = sum;
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
        float normed1[ROWS * DIM], qkv[ROWS * 3 * DIM], prob[WEIGHTS], mixed[ROWS * DIM];
        float mid[ROWS * DIM]; /* the stream after attention */
        float normed2[ROWS * DIM], up[ROWS * HIDDEN], active[ROWS * HIDDEN];
        float stats1[ROWS * 2], stats2[ROWS * 2];
    } layer[LAYERS];
    float x[ROWS * DIM], stats[ROWS * 2], normed[ROWS * DIM], logits[ROWS * VOCAB], loss[ROWS];
    /* gradients, used again for every layer */
    float dx[ROWS * DIM], dsmall[ROWS * DIM], dqkv[ROWS * 3 * DIM], dhidden[ROWS * HIDDEN];
    float branch[ROWS * DIM], dprob[WEIGHTS];
    unsigned char token[ROWS], target[ROWS];
};

static void norm(float *y, float *stats, const float *x, const float *gain, const float *bias,
                 int rows) {
    norm_forward<<<blocks((size_t)rows), THREADS, 0, stream>>>(y, stats, x, gain, bias, rows);
}

static void sum_of(float *y, const float *a, const float *b, int n) {
    add<<<blocks((size_t)n), THREADS, 0, stream>>>(y, a, b, n);
}

static void norm_back(float *dx, float *dgain, float *dbias, const float *dy, const float *x,
                      const float *stats, const float *gain) {
    norm_gains<<<blocks(DIM), THREADS, 0, stream>>>(dgain, dbias, dy, x, stats);
    norm_backward<<<blocks(ROWS), THREADS, 0, stream>>>(dx, dy, x, stats, gain);
}

static void forward(Workspace *w, const Model *m) {
    embed<<<blocks((size_t)ROWS * DIM), THREADS, 0, stream>>>(w->layer[0].x, m, w->token, -1, ROWS);
    for (int l = 0; l < LAYERS; l++) {
        const Layer *p = &m->layer[l];
        auto *a = &w->layer[l];
        norm(a->normed1, a->stats1, a->x, p->norm1_gain, p->norm1_bias, ROWS);
        matmul_forward(a->qkv, a->normed1, &p->qkv[0][0], ROWS, DIM, 3 * DIM);
        attention_forward(a->mixed, a->prob, a->qkv);
        matmul_forward(w->branch, a->mixed, &p->out[0][0], ROWS, DIM, DIM);
        sum_of(a->mid, a->x, w->branch, ROWS * DIM);

        norm(a->normed2, a->stats2, a->mid, p->norm2_gain, p->norm2_bias, ROWS);
        matmul_forward(a->up, a->normed2, &p->up[0][0], ROWS, DIM, HIDDEN);
        activation_forward<<<blocks((size_t)ROWS * HIDDEN), THREADS, 0, stream>>>(a->active, a->up,
                                                                                  ROWS * HIDDEN);
        matmul_forward(w->branch, a->active, &p->down[0][0], ROWS, HIDDEN, DIM);
        sum_of(l + 1 < LAYERS ? w->layer[l + 1].x : w->x, a->mid, w->branch, ROWS * DIM);
    }
    norm(w->normed, w->stats, w->x, m->norm_gain, m->norm_bias, ROWS);
    matmul_forward(w->logits, w->normed, &m->head[0][0], ROWS, DIM, VOCAB);
}

/* Expects the logits' gradient in their place; leaves all of g. */
static void backward(Workspace *w, const Model *m, Model *g) {
#define BACK(dx, dw, dy, x, w_, in, out) matmul_backward(dx, dw, dy, x, w_, ROWS, in, out)
    BACK(w->dsmall, &g->head[0][0], w->logits, w->normed, &m->head[0][0], DIM, VOCAB);
    CHECK(cudaMemsetAsync(w->dx, 0, sizeof w->dx, stream));
    norm_back(w->dx, g->norm_gain, g->norm_bias, w->dsmall, w->x, w->stats, m->norm_gain);
    for (int l = LAYERS - 1; l >= 0; l--) {
        const Layer *p = &m->layer[l];
        Layer *d = &g->layer[l];
        auto *a = &w->layer[l];
        BACK(w->dhidden, &d->down[0][0], w->dx, a->active, &p->down[0][0], HIDDEN, DIM);
        activation_backward<<<blocks((size_t)ROWS * HIDDEN), THREADS, 0, stream>>>(
            w->dhidden, w->dhidden, a->up, ROWS * HIDDEN);
        BACK(w->dsmall, &d->up[0][0], w->dhidden, a->normed2, &p->up[0][0], DIM, HIDDEN);
        norm_back(w->dx, d->norm2_gain, d->norm2_bias, w->dsmall, a->mid, a->stats2, p->norm2_gain);

        BACK(w->dsmall, &d->out[0][0], w->dx, a->mixed, &p->out[0][0], DIM, DIM);
        attention_backward(w->dqkv, w->dprob, w->dsmall, a->prob, a->qkv);
        BACK(w->dsmall, &d->qkv[0][0], w->dqkv, a->normed1, &p->qkv[0][0], DIM, 3 * DIM);
        norm_back(w->dx, d->norm1_gain, d->norm1_bias, w->dsmall, a->x, a->stats1, p->norm1_gain);
    }
#undef BACK
    embed_tokens<<<VOCAB, DIM, 0, stream>>>(g, w->dx, w->token);
    embed_positions<<<CTX, DIM, 0, stream>>>(g, w->dx);
}

static void loss_of(Workspace *w) {
    loss_and_gradient<<<blocks(ROWS), THREADS, 0, stream>>>(w->logits, w->loss, w->target,
                                                            1.0f / ROWS);
}

/* ---- optimiser -------------------------------------------------------- */

struct Optimiser {
    Model mean, square; /* running averages of the gradient and of its square */
};

/* Adam over n parameters */
__global__ void adam(float *w, const float *g, float *mean, float *square, int n, int step,
                     float rate) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= n) return;
    const float correct1 = 1 / (1 - powf(BETA1, (float)step));
    const float correct2 = 1 / (1 - powf(BETA2, (float)step));
    const float m = mean[i] + (1 - BETA1) * (g[i] - mean[i]);
    const float s = square[i] + (1 - BETA2) * (g[i] * g[i] - square[i]);
    mean[i] = m, square[i] = s;
    w[i] -= rate * m * correct1 / (sqrtf(s * correct2) + 1e-8f);
}

static float schedule(int step) {
    return step < WARM_UP ? (float)step / WARM_UP : 1;
}

static void update(Model *m, const Model *g, Optimiser *o, int step) {
    adam<<<blocks(PARAMETERS), THREADS, 0, stream>>>(
        (float *)m, (const float *)g, (float *)&o->mean, (float *)&o->square, PARAMETERS, step,
        LEARNING_RATE * schedule(step));
}

/* ---- the model on disk ------------------------------------------------ */

/* A file begins with what it was trained as; another shape is refused. */
static const uint32_t FILE_HEADER[] = {
    0x43504754 /* "TGPC" */, 1 /* record */, VOCAB, CTX, DIM, LAYERS, HEADS, HIDDEN, PARAMETERS};

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
    free(starts), free(host), free(text);
    return t;
}

static void train_step(const Training &t, int step) {
    gather<<<blocks(ROWS), THREADS, 0, stream>>>(t.w->token, t.w->target, t.text,
                                                 t.starts + (size_t)(step - 1) * BATCH);
    forward(t.w, t.m);
    loss_of(t.w);
    backward(t.w, t.m, t.g);
    update(t.m, t.g, t.o, step);
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
    for (int step = 1; step <= STEPS; step++) {
        train_step(t, step);
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
        p[s] = dot / sqrtf(HEAD);
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
        matmul_forward(s->branch, s->mixed, &p->out[0][0], n, DIM, DIM);
        sum_of(s->x, s->x, s->branch, n * DIM);

        norm(s->normed, s->stats, s->x, p->norm2_gain, p->norm2_bias, n);
        matmul_forward(s->hidden, s->normed, &p->up[0][0], n, DIM, HIDDEN);
        activation_forward<<<blocks((size_t)n * HIDDEN), THREADS, 0, stream>>>(s->active, s->hidden,
                                                                               n * HIDDEN);
        matmul_forward(s->branch, s->active, &p->down[0][0], n, HIDDEN, DIM);
        sum_of(s->x, s->x, s->branch, n * DIM);
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
