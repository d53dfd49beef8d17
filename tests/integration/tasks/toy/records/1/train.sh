set -eu
echo "seed $PADDOCK_SEED"
sleep 0.3
wc -l <"$PADDOCK_DATA/numbers.txt" >"$PADDOCK_OUT/lines"
