set -eu
nvcc -O3 -std=c++17 -cudart static -gencode arch=compute_80,code=sm_80 \
    -gencode arch=compute_90,code=sm_90 -gencode arch=compute_90,code=compute_90 -o gpt gpt.cu
