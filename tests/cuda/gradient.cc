/*
 * gradient.cc - the gradients of a translated program against differences of its loss.
 *
 * gpt.cc is the program. After a few steps of training, each array of the model is moved a
 * little along its gradient, and along a direction of random signs: the loss must change by
 * what the gradient says. Arrays whose gradients are too small to be seen count as wrong.
 */
#define main gpt_main
#include "gpt.cc"
#undef main

struct Array {
    const char *name;
    float *w, *g;
    int n;
};

static double loss_now(const Training &t) {
#ifdef ROTATED
    forward(t.w, t.m, t.rotation);
#else
    forward(t.w, t.m);
#endif
    loss_of(t.w);
    double sum = 0;
    for (int r = 0; r < ROWS; r++) sum += t.w->loss[r];
    return sum / ROWS;
}

static void gradient_now(const Training &t) {
    loss_now(t);
#ifdef ROTATED
    backward(t.w, t.m, t.g, t.rotation);
#else
    backward(t.w, t.m, t.g);
#endif
}

/* The change of the loss for each unit of length along `direction` */
static double difference(const Training &t, const Array &a, const float *direction) {
    float *kept = (float *)allocate(sizeof(float) * (size_t)a.n);
    double length = 0, at[2];
    for (int i = 0; i < a.n; i++) length += (double)direction[i] * direction[i];
    length = sqrt(length);
    const double step = 2e-2;
    memcpy(kept, a.w, sizeof(float) * (size_t)a.n);
    for (int side = 0; side < 2; side++) {
        for (int i = 0; i < a.n; i++)
            a.w[i] = (float)(kept[i] + (side ? step : -step) * direction[i] / length);
        at[side] = loss_now(t);
    }
    memcpy(a.w, kept, sizeof(float) * (size_t)a.n);
    free(kept);
    return (at[1] - at[0]) / (2 * step);
}

static bool agrees(const Training &t, const Array &a, const float *direction, double tolerance) {
    double length = 0, dot = 0, own = 0;
    for (int i = 0; i < a.n; i++) {
        length += (double)direction[i] * direction[i];
        dot += (double)direction[i] * a.g[i];
        own += (double)a.g[i] * a.g[i];
    }
    const double wanted = dot / sqrt(length), got = difference(t, a, direction);
    const bool good = fabs(wanted - got) <= tolerance * sqrt(own) && own > 1e-8;
    printf("%s %s: gradient %.6f, difference %.6f\n", good ? "good" : "bad", a.name, wanted, got);
    return good;
}

int main() {
    random_state = 7;
    begin();
    const Training t = prepare();
    for (int step = 1; step <= 4; step++) {
#ifdef ROTATED
        train_step(t);
#else
        train_step(t, step);
#endif
    }
    gradient_now(t);
    Model *const g = (Model *)allocate(sizeof *g);
    memcpy(g, t.g, sizeof *g);
#define ARRAY(name) \
    { #name, (float *)&t.m->name, (float *)&g->name, sizeof t.m->name / sizeof(float) }
    const Array all[] = {
        ARRAY(token),
        ARRAY(head),
        ARRAY(layer[0].qkv),
        ARRAY(layer[0].out),
        ARRAY(layer[0].up),
        ARRAY(layer[0].down),
        ARRAY(layer[1].qkv),
        ARRAY(layer[1].out),
        ARRAY(layer[1].up),
        ARRAY(layer[1].down),
#ifndef ROTATED
        ARRAY(position),
        ARRAY(norm_gain),
        ARRAY(norm_bias),
        ARRAY(layer[0].norm1_gain),
        ARRAY(layer[0].norm1_bias),
        ARRAY(layer[1].norm2_gain),
        ARRAY(layer[1].norm2_bias),
#endif
    };
    bool good = true;
    for (const Array &a : all) {
        float *direction = (float *)allocate(sizeof(float) * (size_t)a.n);
        good &= agrees(t, a, a.g, 0.03);
        for (int i = 0; i < a.n; i++) direction[i] = random_u64() & 1 ? 1 : -1;
        good &= agrees(t, a, direction, 0.03);
        free(direction);
    }
    return good ? 0 : 1;
}
