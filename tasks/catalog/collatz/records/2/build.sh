#!/bin/sh
set -eu
cc -O3 -pthread -o collatz collatz.c
