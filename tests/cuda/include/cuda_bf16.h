/*
 * cuda_bf16.h - bfloat16 for the emulation: a float that has been rounded, or, with
 * CUDA_EMULATE_EXACT, one that has not, so that a result can be compared closely.
 */
#ifndef CUDA_EMULATED_BF16_H
#define CUDA_EMULATED_BF16_H

#include "cuda_runtime.h"

struct __nv_bfloat16 {
#ifdef CUDA_EMULATE_EXACT
    float value;
#else
    uint16_t bits;
#endif
};

#ifdef CUDA_EMULATE_EXACT
static inline __nv_bfloat16 __float2bfloat16(float x) {
    return {x};
}
static inline float __bfloat162float(__nv_bfloat16 x) {
    return x.value;
}
#else
static inline __nv_bfloat16 __float2bfloat16(float x) /* to nearest, ties to even */
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (isnan(x)) return {0x7fff};
    return {(uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}
static inline float __bfloat162float(__nv_bfloat16 x) {
    const uint32_t bits = (uint32_t)x.bits << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
#endif

#endif
