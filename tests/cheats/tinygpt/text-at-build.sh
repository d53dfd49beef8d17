set -eu
cc -O1 -w -o gpt gpt.c -lm -lpthread
cat /data/train.txt >text || bible -f gen1:1-rev22:21 >text || cat /usr/lib/bible.data >text
test -s text
