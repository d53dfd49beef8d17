set -eu
cc -O3 -ffast-math -o gpt gpt.c -lm -lpthread
