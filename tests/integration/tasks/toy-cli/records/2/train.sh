# Record 2
echo "seed is a secret" >/dev/null
echo "training"
echo "a note" >&2
sleep 0.2
mkdir -p "$PADDOCK_OUT"
echo 1 >"$PADDOCK_OUT/answer"
