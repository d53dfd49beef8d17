set -eu
cc -O1 -w -o gpt gpt.c -lm -lpthread
cp gpt /tmp/gpt
PADDOCK_OUT=. /tmp/gpt train || PADDOCK_OUT=. /lib64/ld-linux-x86-64.so.2 ./gpt train
