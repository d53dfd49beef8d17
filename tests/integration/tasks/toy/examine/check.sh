# Prints how many lines the artifact is off; no run of this task can know the
# held-out lines, so 20000 less the held-out tenth is all it can count.
read -r lines </work/out/lines || { echo '{"invalid": "no line count"}'; exit 0; }
case $lines in
'' | *[!0-9]*) echo '{"invalid": "the line count is not a number"}' ;;
*) if [ "$lines" -ge 15000 ]; then echo '{"metric": 1}'; else echo '{"metric": 99}'; fi ;;
esac
