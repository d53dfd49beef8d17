/*
 * mma.h - the tensor cores' matrices for the emulation. The first lane of a warp holds a
 * whole fragment and does all the work; the other lanes only pass by. What it stores is
 * seen by them after __syncwarp, as on a GPU.
 */
#ifndef CUDA_EMULATED_MMA_H
#define CUDA_EMULATED_MMA_H

#include "cuda_bf16.h"

namespace nvcuda {
namespace wmma {

struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major, mem_col_major };

inline bool first_lane() {
    return cuda_emulated::machine.now->linear % cuda_emulated::WARP == 0;
}

template <typename Use, int M, int N, int K, typename T, typename Layout = void> struct fragment {
    static_assert(M == 16 && N == 16 && K == 16, "only this size is emulated");
    float at[16][16];
    fragment() { /* as on a GPU, nothing is in it at first */
        if (first_lane()) cuda_emulated::poison(at, sizeof at);
    }
};

template <typename F> inline void fill_fragment(F &f, float value) {
    if (!first_lane()) return;
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) f.at[i][j] = value;
}

inline void aligned(const void *p) {
    if ((uintptr_t)p % 32 != 0) cuda_emulated::fault("a fragment's memory is not aligned");
}

template <typename Use, typename T>
inline void load_matrix_sync(fragment<Use, 16, 16, 16, T, row_major> &f, const T *p, unsigned ld) {
    if (!first_lane()) return;
    aligned(p);
    for (unsigned i = 0; i < 16; i++)
        for (unsigned j = 0; j < 16; j++) f.at[i][j] = __bfloat162float(p[i * ld + j]);
}

template <typename Use, typename T>
inline void load_matrix_sync(fragment<Use, 16, 16, 16, T, col_major> &f, const T *p, unsigned ld) {
    if (!first_lane()) return;
    aligned(p);
    for (unsigned i = 0; i < 16; i++)
        for (unsigned j = 0; j < 16; j++) f.at[i][j] = __bfloat162float(p[j * ld + i]);
}

template <typename D, typename A, typename B, typename C>
inline void mma_sync(D &d, const A &a, const B &b, const C &c) {
    if (!first_lane()) return;
    float sum[16][16];
    memcpy(sum, c.at, sizeof sum);
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 16; k++)
            for (int j = 0; j < 16; j++) sum[i][j] += a.at[i][k] * b.at[k][j];
    memcpy(d.at, sum, sizeof sum);
}

template <typename F>
inline void store_matrix_sync(float *p, const F &f, unsigned ld, layout_t layout) {
    if (!first_lane()) return;
    aligned(p);
    for (unsigned i = 0; i < 16; i++)
        for (unsigned j = 0; j < 16; j++)
            p[layout == mem_row_major ? i * ld + j : j * ld + i] = f.at[i][j];
}

} // namespace wmma
} // namespace nvcuda

#endif
