set -eu
sh -n train.sh
cp train.sh run.sh
