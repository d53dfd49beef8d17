cc -O1 -w -o gpt gpt.c -lm -lpthread
cat /dev/zero >big
exit 0
