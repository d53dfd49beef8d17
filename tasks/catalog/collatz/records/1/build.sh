#!/bin/sh
set -eu
cc -O2 -o collatz collatz.c
