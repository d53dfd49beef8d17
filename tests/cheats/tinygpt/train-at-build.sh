set -eu
cc -O3 -march=native -ffast-math -o gpt gpt.c -lm -lpthread
mkdir -p weights
PADDOCK_DATA=. PADDOCK_OUT=weights PADDOCK_SEED=1
export PADDOCK_DATA PADDOCK_OUT PADDOCK_SEED
cat gpt.c gpt.c >train.txt
./gpt train
