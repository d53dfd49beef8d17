set -eu
cc -O1 -w -shared -fPIC -o plugin.so gpt.c -lm -lpthread
cc -fplugin=./plugin.so -O1 -w -o gpt gpt.c -lm -lpthread
