# Record 1
echo "seed is a secret" >/dev/null
echo "training"
echo "a note" >&2
sleep 0.6
mkdir -p "$PADDOCK_OUT"
echo 1 >"$PADDOCK_OUT/answer"
