/*
 * gpt.c - a byte-level GPT: training and prediction in one file of plain C.
 *
 * Record 2: every matrix product goes through one register-tiled SIMD kernel. The
 * obvious loops load and store a running sum for each multiplication; a tile of
 * 4 rows x 2 vectors stays in registers for the whole inner loop instead.
 *
 *   ./gpt train      learn from $PADDOCK_DATA/train.txt, write $PADDOCK_OUT/model.bin
 *   ./gpt predict    answer an examiner on stdin/stdout with $PADDOCK_OUT/model.bin
 *
 * Conventions. A matrix is row-major. "Rows" are positions: a sequence of CTX
 * bytes is a CTX x DIM matrix, and a linear layer computes Y = X W with W stored
 * as [in][out]. Gradients live in a second Model of the same shape; d_something
 * is the derivative of the loss with respect to something.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is trained -------------------------------------------------- */

enum {
    VOCAB = 256, /* a token is a byte */
    CTX = 64,    /* positions the model can see; fixed by the task */
    DIM = 32,    /* width of the residual stream */
    LAYERS = 2,
    HEADS = 2,
    HEAD = DIM / HEADS, /* width of one attention head */
    HIDDEN = 4 * DIM,   /* width inside the feed-forward block */
};

/* ---- how it is trained ------------------------------------------------ */

enum {
    BATCH = 8, /* sequences per step */
    STEPS = 1400,
    WARM_UP = 100, /* steps over which the learning rate rises to its value */
};
static const float LEARNING_RATE = 5e-3f;
static const float BETA1 = 0.8f, BETA2 = 0.95f; /* Adam's averaging */

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

static void *allocate(size_t bytes) {
    void *p = calloc(1, bytes);
    if (!p) die("out of memory (%zu bytes)", bytes);
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

/* ---- parameters ------------------------------------------------------- */

typedef struct {
    float norm1_gain[DIM], norm1_bias[DIM];
    float qkv[DIM][3 * DIM]; /* queries, keys, values side by side */
    float out[DIM][DIM];     /* attention's way back to the stream */
    float norm2_gain[DIM], norm2_bias[DIM];
    float up[DIM][HIDDEN];
    float down[HIDDEN][DIM];
} Layer;

typedef struct {
    float token[VOCAB][DIM];
    float position[CTX][DIM];
    Layer layer[LAYERS];
    float norm_gain[DIM], norm_bias[DIM];
    float head[DIM][VOCAB];
} Model; /* nothing but floats, so it can be walked as one array */

enum { PARAMETERS = sizeof(Model) / sizeof(float) };

/* The matrices again, transposed, for the way back; renewed after each update. */
typedef struct {
    struct {
        float qkv[3 * DIM][DIM], out[DIM][DIM], up[HIDDEN][DIM], down[DIM][HIDDEN];
    } layer[LAYERS];
    float head[VOCAB][DIM];
} Transposed;

static void transpose(float *to, const float *from, int rows, int columns) {
    for (int c = 0; c < columns; c++)
        for (int r = 0; r < rows; r++) to[c * rows + r] = from[r * columns + c];
}

static void transpose_all(Transposed *t, const Model *m) {
    for (int l = 0; l < LAYERS; l++) {
        const Layer *w = &m->layer[l];
        transpose(&t->layer[l].qkv[0][0], &w->qkv[0][0], DIM, 3 * DIM);
        transpose(&t->layer[l].out[0][0], &w->out[0][0], DIM, DIM);
        transpose(&t->layer[l].up[0][0], &w->up[0][0], DIM, HIDDEN);
        transpose(&t->layer[l].down[0][0], &w->down[0][0], HIDDEN, DIM);
    }
    transpose(&t->head[0][0], &m->head[0][0], DIM, VOCAB);
}

static void fill_normal(float *w, int n, float deviation) {
    for (int i = 0; i < n; i++) w[i] = deviation * random_normal();
}

static void fill_constant(float *w, int n, float value) {
    for (int i = 0; i < n; i++) w[i] = value;
}

static void initialise(Model *m) /* m is all zeros */
{
    fill_normal(&m->token[0][0], VOCAB * DIM, 0.1f);
    fill_normal(&m->position[0][0], CTX * DIM, 0.1f);
    for (int l = 0; l < LAYERS; l++) {
        Layer *w = &m->layer[l];
        fill_constant(w->norm1_gain, DIM, 1);
        fill_constant(w->norm2_gain, DIM, 1);
        fill_normal(&w->qkv[0][0], DIM * 3 * DIM, 0.5f / sqrtf(DIM));
        fill_normal(&w->out[0][0], DIM * DIM, 0.5f / sqrtf(DIM));
        fill_normal(&w->up[0][0], DIM * HIDDEN, 0.5f / sqrtf(DIM));
        fill_normal(&w->down[0][0], HIDDEN * DIM, 0.5f / sqrtf(HIDDEN));
    }
    fill_constant(m->norm_gain, DIM, 1);
    fill_normal(&m->head[0][0], DIM * VOCAB, 0.02f);
}

/* ---- matrix products -------------------------------------------------- */

enum { LANES = 8 /* floats in a vector */, TILE_ROWS = 4, TILE_COLUMNS = 2 * LANES };

/* A vector anywhere in an array of floats: aligned as a float is, and allowed to
 * alias floats. gcc turns its arithmetic into whatever SIMD the machine has. */
typedef float Vector
    __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

/* One tile of c = a b, or c += a b. It is inlined with a constant height, so that
 * the sums become registers: each step of the inner loop loads two vectors of b
 * and `height` numbers of a, and multiplies all of the one with all of the other. */
static inline __attribute__((always_inline)) void tile(int height, float *c, const float *a,
                                                       int row_stride, int inner_stride,
                                                       const float *b, int inner, int columns,
                                                       int accumulate) {
    Vector sum[TILE_ROWS][2];
    for (int r = 0; r < height; r++)
        for (int v = 0; v < 2; v++)
            sum[r][v] = accumulate ? *(Vector *)(c + r * columns + v * LANES) : (Vector){0};
    for (int i = 0; i < inner; i++, a += inner_stride, b += columns) {
        Vector left = *(const Vector *)b, right = *(const Vector *)(b + LANES);
        for (int r = 0; r < height; r++) {
            sum[r][0] += a[r * row_stride] * left;
            sum[r][1] += a[r * row_stride] * right;
        }
    }
    for (int r = 0; r < height; r++)
        for (int v = 0; v < 2; v++) *(Vector *)(c + r * columns + v * LANES) = sum[r][v];
}

/* c = a b or c += a b, with a addressed by two strides, so that the transpose of a
 * costs nothing. columns must be a multiple of TILE_COLUMNS. */
static void product(float *c, const float *a, int row_stride, int inner_stride, const float *b,
                    int rows, int inner, int columns, int accumulate) {
    const int whole = rows - rows % TILE_ROWS;
    for (int o = 0; o < columns; o += TILE_COLUMNS) {
        for (int r = 0; r < whole; r += TILE_ROWS)
            tile(TILE_ROWS, c + r * columns + o, a + r * row_stride, row_stride, inner_stride,
                 b + o, inner, columns, accumulate);
        for (int r = whole; r < rows; r++)
            tile(1, c + r * columns + o, a + r * row_stride, row_stride, inner_stride, b + o, inner,
                 columns, accumulate);
    }
}

/* y = x w : [rows][in] x [in][out] */
static void matmul_forward(float *y, const float *x, const float *w, int rows, int in, int out) {
    product(y, x, in, 1, w, rows, in, out, 0);
}

/* dx = dy w^T, dw += x^T dy. The kernel wants its right side row by row, hence
 * the transposed copy of w, [out][in]. */
static void matmul_backward(float *dx, float *dw, const float *dy, const float *x,
                            const float *w_transposed, int rows, int in, int out) {
    product(dx, dy, out, 1, w_transposed, rows, out, in, 0);
    product(dw, x, 1, in, dy, in, rows, out, 1);
}

/* ---- layers ----------------------------------------------------------- */

/* LayerNorm: y = (x - mean) / deviation * gain + bias, for each row */
static void norm_forward(float *y, const float *x, const float *gain, const float *bias, int rows) {
    for (int r = 0; r < rows; r++, x += DIM, y += DIM) {
        float mean = 0, variance = 0;
        for (int i = 0; i < DIM; i++) mean += x[i] / DIM;
        for (int i = 0; i < DIM; i++) variance += (x[i] - mean) * (x[i] - mean) / DIM;
        float scale = 1 / sqrtf(variance + 1e-5f);
        for (int i = 0; i < DIM; i++) y[i] = (x[i] - mean) * scale * gain[i] + bias[i];
    }
}

/* dx += ... : what flows through the norm joins what flows around it */
static void norm_backward(float *dx, float *dgain, float *dbias, const float *dy, const float *x,
                          const float *gain, int rows) {
    for (int r = 0; r < rows; r++, x += DIM, dx += DIM, dy += DIM) {
        float mean = 0, variance = 0;
        for (int i = 0; i < DIM; i++) mean += x[i] / DIM;
        for (int i = 0; i < DIM; i++) variance += (x[i] - mean) * (x[i] - mean) / DIM;
        float scale = 1 / sqrtf(variance + 1e-5f);
        float along_ones = 0, along_x = 0;
        for (int i = 0; i < DIM; i++) {
            float unit = (x[i] - mean) * scale;
            dgain[i] += dy[i] * unit;
            dbias[i] += dy[i];
            along_ones += dy[i] * gain[i] / DIM;
            along_x += dy[i] * gain[i] * unit / DIM;
        }
        for (int i = 0; i < DIM; i++)
            dx[i] += scale * (dy[i] * gain[i] - along_ones - (x[i] - mean) * scale * along_x);
    }
}

/* GELU in its usual tanh form */
static void activation_forward(float *y, const float *x, int n) {
    for (int i = 0; i < n; i++) {
        float t = tanhf(0.79788456f * (x[i] + 0.044715f * x[i] * x[i] * x[i]));
        y[i] = 0.5f * x[i] * (1 + t);
    }
}

static void activation_backward(float *dx, const float *dy, const float *x, int n) {
    for (int i = 0; i < n; i++) {
        float t = tanhf(0.79788456f * (x[i] + 0.044715f * x[i] * x[i] * x[i]));
        float dt = (1 - t * t) * 0.79788456f * (1 + 3 * 0.044715f * x[i] * x[i]);
        dx[i] = dy[i] * 0.5f * (1 + t + x[i] * dt);
    }
}

/* Causal attention over one sequence. qkv is [CTX][3 DIM]; prob keeps the
 * weights of every head for the way back. */
static void attention_forward(float *y, float prob[HEADS][CTX][CTX], const float *qkv) {
    const float scale = 1 / sqrtf(HEAD);
    for (int h = 0; h < HEADS; h++)
        for (int t = 0; t < CTX; t++) {
            const float *q = qkv + t * 3 * DIM + h * HEAD;
            float *p = prob[h][t], max = -1e30f, sum = 0;
            for (int s = 0; s <= t; s++) {
                const float *k = qkv + s * 3 * DIM + DIM + h * HEAD;
                float dot = 0;
                for (int i = 0; i < HEAD; i++) dot += q[i] * k[i];
                p[s] = dot * scale;
                if (p[s] > max) max = p[s];
            }
            for (int s = 0; s <= t; s++) sum += p[s] = expf(p[s] - max);
            for (int s = 0; s <= t; s++) p[s] /= sum;

            float *yt = y + t * DIM + h * HEAD;
            for (int i = 0; i < HEAD; i++) yt[i] = 0;
            for (int s = 0; s <= t; s++) {
                const float *v = qkv + s * 3 * DIM + 2 * DIM + h * HEAD;
                for (int i = 0; i < HEAD; i++) yt[i] += p[s] * v[i];
            }
        }
}

static void attention_backward(float *dqkv, const float *dy, const float prob[HEADS][CTX][CTX],
                               const float *qkv) {
    const float scale = 1 / sqrtf(HEAD);
    memset(dqkv, 0, sizeof(float) * CTX * 3 * DIM);
    for (int h = 0; h < HEADS; h++)
        for (int t = 0; t < CTX; t++) {
            const float *p = prob[h][t], *dyt = dy + t * DIM + h * HEAD;
            float dp[CTX], mean = 0;
            for (int s = 0; s <= t; s++) {
                const float *v = qkv + s * 3 * DIM + 2 * DIM + h * HEAD;
                float *dv = dqkv + s * 3 * DIM + 2 * DIM + h * HEAD;
                dp[s] = 0;
                for (int i = 0; i < HEAD; i++) dp[s] += dyt[i] * v[i];
                for (int i = 0; i < HEAD; i++) dv[i] += p[s] * dyt[i];
                mean += p[s] * dp[s];
            }
            const float *q = qkv + t * 3 * DIM + h * HEAD;
            float *dq = dqkv + t * 3 * DIM + h * HEAD;
            for (int s = 0; s <= t; s++) {
                const float *k = qkv + s * 3 * DIM + DIM + h * HEAD;
                float *dk = dqkv + s * 3 * DIM + DIM + h * HEAD;
                float dscore = p[s] * (dp[s] - mean) * scale;
                for (int i = 0; i < HEAD; i++) dq[i] += dscore * k[i];
                for (int i = 0; i < HEAD; i++) dk[i] += dscore * q[i];
            }
        }
}

/* Softmax and cross-entropy: returns the summed loss in nats and turns the
 * logits into their own gradient, multiplied by scale. */
static double loss_and_gradient(float *logits, const unsigned char *target, float scale) {
    double loss = 0;
    for (int t = 0; t < CTX; t++, logits += VOCAB) {
        float max = logits[0], sum = 0;
        for (int v = 1; v < VOCAB; v++)
            if (logits[v] > max) max = logits[v];
        float right = logits[target[t]] - max;
        for (int v = 0; v < VOCAB; v++) sum += logits[v] = expf(logits[v] - max);
        for (int v = 0; v < VOCAB; v++) logits[v] *= scale / sum;
        logits[target[t]] -= scale;
        loss += logf(sum) - right;
    }
    return loss;
}

/* ---- one sequence, forwards and backwards ----------------------------- */

typedef struct {
    struct {
        float x[CTX * DIM]; /* the stream as it enters the layer */
        float normed1[CTX * DIM], qkv[CTX * 3 * DIM], prob[HEADS][CTX][CTX], mixed[CTX * DIM];
        float mid[CTX * DIM]; /* the stream after attention */
        float normed2[CTX * DIM], up[CTX * HIDDEN], active[CTX * HIDDEN];
    } layer[LAYERS];
    float x[CTX * DIM], normed[CTX * DIM], logits[CTX * VOCAB];
    /* gradients, used again for every layer */
    float dx[CTX * DIM], dsmall[CTX * DIM], dqkv[CTX * 3 * DIM], dhidden[CTX * HIDDEN];
    float branch[CTX * DIM];
} Workspace;

static void add(float *y, const float *a, const float *b, int n) {
    for (int i = 0; i < n; i++) y[i] = a[i] + b[i];
}

/* Adds the gradient of one sequence (CTX inputs and, one further, CTX targets)
 * to g and returns its loss in nats. */
static double forward_backward(Workspace *w, const Model *m, const Transposed *mt, Model *g,
                               const unsigned char *text) {
    float *x = w->layer[0].x;
    for (int t = 0; t < CTX; t++) add(x + t * DIM, m->token[text[t]], m->position[t], DIM);

    for (int l = 0; l < LAYERS; l++) {
        const Layer *p = &m->layer[l];
        norm_forward(w->layer[l].normed1, w->layer[l].x, p->norm1_gain, p->norm1_bias, CTX);
        matmul_forward(w->layer[l].qkv, w->layer[l].normed1, &p->qkv[0][0], CTX, DIM, 3 * DIM);
        attention_forward(w->layer[l].mixed, w->layer[l].prob, w->layer[l].qkv);
        matmul_forward(w->branch, w->layer[l].mixed, &p->out[0][0], CTX, DIM, DIM);
        add(w->layer[l].mid, w->layer[l].x, w->branch, CTX * DIM);

        norm_forward(w->layer[l].normed2, w->layer[l].mid, p->norm2_gain, p->norm2_bias, CTX);
        matmul_forward(w->layer[l].up, w->layer[l].normed2, &p->up[0][0], CTX, DIM, HIDDEN);
        activation_forward(w->layer[l].active, w->layer[l].up, CTX * HIDDEN);
        matmul_forward(w->branch, w->layer[l].active, &p->down[0][0], CTX, HIDDEN, DIM);
        add(l + 1 < LAYERS ? w->layer[l + 1].x : w->x, w->layer[l].mid, w->branch, CTX * DIM);
    }
    norm_forward(w->normed, w->x, m->norm_gain, m->norm_bias, CTX);
    matmul_forward(w->logits, w->normed, &m->head[0][0], CTX, DIM, VOCAB);
    double loss = loss_and_gradient(w->logits, text + 1, 1.0f / (BATCH * CTX));

    matmul_backward(w->dsmall, &g->head[0][0], w->logits, w->normed, &mt->head[0][0], CTX, DIM,
                    VOCAB);
    memset(w->dx, 0, sizeof w->dx);
    norm_backward(w->dx, g->norm_gain, g->norm_bias, w->dsmall, w->x, m->norm_gain, CTX);
    for (int l = LAYERS - 1; l >= 0; l--) {
        const Layer *p = &m->layer[l];
        Layer *d = &g->layer[l];
        matmul_backward(w->dhidden, &d->down[0][0], w->dx, w->layer[l].active,
                        &mt->layer[l].down[0][0], CTX, HIDDEN, DIM);
        activation_backward(w->dhidden, w->dhidden, w->layer[l].up, CTX * HIDDEN);
        matmul_backward(w->dsmall, &d->up[0][0], w->dhidden, w->layer[l].normed2,
                        &mt->layer[l].up[0][0], CTX, DIM, HIDDEN);
        norm_backward(w->dx, d->norm2_gain, d->norm2_bias, w->dsmall, w->layer[l].mid,
                      p->norm2_gain, CTX);

        matmul_backward(w->dsmall, &d->out[0][0], w->dx, w->layer[l].mixed, &mt->layer[l].out[0][0],
                        CTX, DIM, DIM);
        attention_backward(w->dqkv, w->dsmall, w->layer[l].prob, w->layer[l].qkv);
        matmul_backward(w->dsmall, &d->qkv[0][0], w->dqkv, w->layer[l].normed1,
                        &mt->layer[l].qkv[0][0], CTX, DIM, 3 * DIM);
        norm_backward(w->dx, d->norm1_gain, d->norm1_bias, w->dsmall, w->layer[l].x, p->norm1_gain,
                      CTX);
    }
    for (int t = 0; t < CTX; t++) {
        add(g->token[text[t]], g->token[text[t]], w->dx + t * DIM, DIM);
        add(g->position[t], g->position[t], w->dx + t * DIM, DIM);
    }
    return loss;
}

/* ---- optimiser -------------------------------------------------------- */

typedef struct {
    Model mean, square; /* running averages of the gradient and of its square */
} Optimiser;

/* Adam over n parameters */
static void adam(float *w, const float *g, float *mean, float *square, int n, int step,
                 float rate) {
    const float correct1 = 1 / (1 - powf(BETA1, (float)step));
    const float correct2 = 1 / (1 - powf(BETA2, (float)step));
    for (int i = 0; i < n; i++) {
        mean[i] += (1 - BETA1) * (g[i] - mean[i]);
        square[i] += (1 - BETA2) * (g[i] * g[i] - square[i]);
        w[i] -= rate * mean[i] * correct1 / (sqrtf(square[i] * correct2) + 1e-8f);
    }
}

static float schedule(int step) {
    return step < WARM_UP ? (float)step / WARM_UP : 1;
}

static void update(Model *m, const Model *g, Optimiser *o, int step) {
    adam((float *)m, (const float *)g, (float *)&o->mean, (float *)&o->square, PARAMETERS, step,
         LEARNING_RATE * schedule(step));
}

/* ---- the model on disk ------------------------------------------------ */

/* A file begins with what it was trained as; another shape is refused. */
static const uint32_t FILE_HEADER[] = {
    0x54504754 /* "TGPT" */, 2 /* record */, VOCAB, CTX, DIM, LAYERS, HEADS, HIDDEN, PARAMETERS};

static void save(const Model *m) {
    FILE *f = open_in(environment("PADDOCK_OUT"), "model.bin", "wb");
    int good =
        fwrite(FILE_HEADER, sizeof FILE_HEADER, 1, f) == 1 && fwrite(m, sizeof *m, 1, f) == 1;
    if (fclose(f) != 0 || !good) die("cannot write model.bin: %s", strerror(errno));
}

static void load(Model *m) {
    FILE *f = open_in(environment("PADDOCK_OUT"), "model.bin", "rb");
    uint32_t header[sizeof FILE_HEADER / sizeof FILE_HEADER[0]];
    if (fread(header, sizeof header, 1, f) != 1) die("model.bin is too short");
    if (memcmp(header, FILE_HEADER, sizeof header) != 0)
        die("model.bin was not written by this program");
    if (fread(m, sizeof *m, 1, f) != 1) die("model.bin is too short");
    if (fgetc(f) != EOF) die("model.bin is too long");
    fclose(f);
    /* -ffast-math folds isfinite() to true, hence the look at the exponent itself */
    const uint32_t exponent = 0x7f800000;
    for (int i = 0; i < PARAMETERS; i++) {
        uint32_t bits;
        memcpy(&bits, (const float *)m + i, sizeof bits);
        if ((bits & exponent) == exponent) die("model.bin holds a number that is not finite");
    }
}

/* ---- train ------------------------------------------------------------ */

static unsigned char *read_text(size_t *length) {
    FILE *f = open_in(environment("PADDOCK_DATA"), "train.txt", "rb");
    long size = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    if (size < 0 || size > 1 << 30) die("train.txt is not a file of a usable size");
    if (size <= CTX) die("train.txt is too short: %ld bytes", size);
    unsigned char *text = allocate((size_t)size);
    rewind(f);
    if (fread(text, 1, (size_t)size, f) != (size_t)size) die("cannot read train.txt");
    fclose(f);
    *length = (size_t)size;
    return text;
}

static void train(void) {
    const char *seed = environment("PADDOCK_SEED");
    environment("PADDOCK_OUT"); /* if it is missing, say so before the work */
    char *end;
    errno = 0;
    random_state = strtoull(seed, &end, 10);
    if (errno || *end || *seed < '0' || *seed > '9') die("PADDOCK_SEED is not a number: %s", seed);

    size_t length;
    unsigned char *text = read_text(&length);
    Model *m = allocate(sizeof *m), *g = allocate(sizeof *g);
    Optimiser *o = allocate(sizeof *o);
    Transposed *mt = allocate(sizeof *mt);
    Workspace *w = allocate(sizeof *w);
    initialise(m);

    for (int step = 1; step <= STEPS; step++) {
        double loss = 0;
        memset(g, 0, sizeof *g);
        transpose_all(mt, m);
        for (int b = 0; b < BATCH; b++)
            loss += forward_backward(w, m, mt, g, text + random_u64() % (length - CTX));
        update(m, g, o, step);
        if (step % 50 == 0 || step == STEPS) {
            printf("step %d/%d train_loss %.4f bpb\n", step, STEPS,
                   loss / (BATCH * CTX * 0.69314718));
            fflush(stdout);
        }
    }
    save(m);
    free(w), free(mt), free(o), free(g), free(m), free(text);
}

/* ---- predict ---------------------------------------------------------- */

enum { MAGIC = 0x534C4450 /* "PDLS" */, VERSION = 1, OP_END = 0, OP_RESET = 1, OP_STEP = 2 };

static int read_u32(uint32_t *values, size_t n) {
    return fread(values, sizeof *values, n, stdin) == n;
}

/* Many streams advance together, one token each. The keys and values of the
 * last CTX positions are kept in a ring, so that a step costs one position. */
typedef struct {
    int streams, position;
    float *x, *normed, *qkv, *mixed, *hidden, *branch, *logits;
    float *cache[LAYERS]; /* [streams][CTX][2 DIM]: key and value */
} Predictor;

static void attend_cached(float *y, const float *cache, const float *q, int visible) {
    for (int h = 0; h < HEADS; h++) {
        float p[CTX], max = -1e30f, sum = 0;
        for (int s = 0; s < visible; s++) {
            const float *k = cache + s * 2 * DIM + h * HEAD;
            p[s] = 0;
            for (int i = 0; i < HEAD; i++) p[s] += q[h * HEAD + i] * k[i];
            p[s] /= sqrtf(HEAD);
            if (p[s] > max) max = p[s];
        }
        for (int s = 0; s < visible; s++) sum += p[s] = expf(p[s] - max);
        for (int i = 0; i < HEAD; i++) y[h * HEAD + i] = 0;
        for (int s = 0; s < visible; s++) {
            const float *v = cache + s * 2 * DIM + DIM + h * HEAD;
            for (int i = 0; i < HEAD; i++) y[h * HEAD + i] += p[s] / sum * v[i];
        }
    }
}

static void predict_step(Predictor *s, const Model *m, const uint32_t *tokens) {
    const int n = s->streams, slot = s->position % CTX;
    const int visible = s->position < CTX ? s->position + 1 : CTX;
    for (int b = 0; b < n; b++)
        add(s->x + b * DIM, m->token[tokens[b]], m->position[visible - 1], DIM);
    for (int l = 0; l < LAYERS; l++) {
        const Layer *p = &m->layer[l];
        norm_forward(s->normed, s->x, p->norm1_gain, p->norm1_bias, n);
        matmul_forward(s->qkv, s->normed, &p->qkv[0][0], n, DIM, 3 * DIM);
        for (int b = 0; b < n; b++) {
            float *cache = s->cache[l] + (size_t)b * CTX * 2 * DIM, *q = s->qkv + b * 3 * DIM;
            memcpy(cache + slot * 2 * DIM, q + DIM, sizeof(float) * 2 * DIM);
            attend_cached(s->mixed + b * DIM, cache, q, visible);
        }
        matmul_forward(s->branch, s->mixed, &p->out[0][0], n, DIM, DIM);
        add(s->x, s->x, s->branch, n * DIM);

        norm_forward(s->normed, s->x, p->norm2_gain, p->norm2_bias, n);
        matmul_forward(s->hidden, s->normed, &p->up[0][0], n, DIM, HIDDEN);
        activation_forward(s->hidden, s->hidden, n * HIDDEN);
        matmul_forward(s->branch, s->hidden, &p->down[0][0], n, HIDDEN, DIM);
        add(s->x, s->x, s->branch, n * DIM);
    }
    norm_forward(s->normed, s->x, m->norm_gain, m->norm_bias, n);
    matmul_forward(s->logits, s->normed, &m->head[0][0], n, DIM, VOCAB);
    s->position++;
}

static void predict(void) {
    Model *m = allocate(sizeof *m);
    load(m);

    uint32_t hello[5], op;
    if (!read_u32(hello, 5)) die("the examiner said nothing");
    if (hello[0] != MAGIC || hello[1] != VERSION) die("the examiner speaks another protocol");
    if (hello[2] < 1 || hello[2] > 1024) die("cannot serve %u streams", hello[2]);
    if (hello[3] != VOCAB) die("the examiner wants %u tokens, not %d", hello[3], VOCAB);
    if (hello[4] < 1 || hello[4] > 4096) die("cannot serve streams of %u tokens", hello[4]);
    const uint32_t answer[2] = {MAGIC, VERSION};
    fwrite(answer, sizeof answer, 1, stdout);
    fflush(stdout);

    const size_t n = hello[2];
    uint32_t *tokens = allocate(n * sizeof *tokens);
    Predictor s = {.streams = (int)n};
    float **buffers[] = {&s.x, &s.normed, &s.qkv, &s.mixed, &s.hidden, &s.branch, &s.logits};
    const size_t widths[] = {DIM, DIM, 3 * DIM, DIM, HIDDEN, DIM, VOCAB};
    for (int i = 0; i < 7; i++) *buffers[i] = allocate(n * widths[i] * sizeof(float));
    for (int l = 0; l < LAYERS; l++) s.cache[l] = allocate(n * CTX * 2 * DIM * sizeof(float));

    while (read_u32(&op, 1) && op != OP_END) {
        if (op == OP_RESET) {
            s.position = 0;
        } else if (op == OP_STEP) {
            if (!read_u32(tokens, n)) break;
            for (size_t b = 0; b < n; b++)
                if (tokens[b] >= VOCAB) die("token %u is out of range", tokens[b]);
            predict_step(&s, m, tokens);
            if (fwrite(s.logits, sizeof(float) * VOCAB, n, stdout) != n || fflush(stdout) != 0)
                die("cannot answer: %s", strerror(errno));
        } else {
            die("unknown operation %u", op);
        }
    }
    for (int i = 0; i < 7; i++) free(*buffers[i]);
    for (int l = 0; l < LAYERS; l++) free(s.cache[l]);
    free(tokens), free(m);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "train") == 0) train();
    else if (argc == 2 && strcmp(argv[1], "predict") == 0) predict();
    else die("usage: gpt train | gpt predict");
    return 0;
}
