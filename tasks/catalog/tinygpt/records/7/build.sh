set -eu
cc -O3 -march=native -ffast-math -o gpt gpt.c -lm -lpthread
