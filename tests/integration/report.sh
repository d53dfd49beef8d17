#!/usr/bin/env bash
# paddock report on a small sweep of agents that need no model: the page, the document
# and the CSV say what the API says; nothing hostile gets out of its place; and where
# Chromium is installed, a browser draws the charts without a complaint.
# Needs PADDOCK_BIN: the folder of the programs. Keeps the pages in $PADDOCK_KEEP, if set.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${PADDOCK_BIN:?the folder of the programs}"
export PADDOCK_BIN
paddock=$PADDOCK_BIN/paddock
[ -x "$paddock" ] || paddock=$PADDOCK_BIN/paddock-cli

place=$(mktemp -d /tmp/paddock-report-XXXXXX)
sock=$place/sock
export PADDOCK_STATE=$place/state PADDOCK_SOCKET=$sock PADDOCK_TASKS=$place/tasks NO_COLOR=1
# shellcheck disable=SC2317 # the trap reaches it
cleanup() {
    "$paddock" daemon stop --now >/dev/null 2>&1
    for _ in $(seq 50); do
        "$paddock" daemon status >/dev/null 2>&1 || break
        sleep 0.1
    done
    rm -rf "$place"
}
trap cleanup EXIT

bad=0
ok() { echo "ok - $1"; }
not_ok() {
    echo "not ok - $1"
    shift
    [ $# -eq 0 ] || printf '  %s\n' "$@"
    bad=1
}
# is NAME GOT WANTED
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got:    $2" "wanted: $3"; fi; }
# has NAME TEXT PATTERN, lacks NAME TEXT PATTERN
has() { if grep -qE -- "$3" <<<"$2"; then ok "$1"; else not_ok "$1" "wanted /$3/ in:" "$(head -c 1500 <<<"$2")"; fi; }
lacks() { if grep -qE -- "$3" <<<"$2"; then not_ok "$1" "did not want /$3/:" "$(grep -oE -- ".{0,80}($3).{0,80}" <<<"$2" | head -3)"; else ok "$1"; fi; }
# want NAME FILTER JSON
want() { if jq -e "$2" >/dev/null 2>&1 <<<"$3"; then ok "$1"; else not_ok "$1" "wanted: $2"; fi; }

get() { curl -s --max-time 60 --unix-socket "$sock" "http://d$1"; }
post() { curl -s --max-time 60 --unix-socket "$sock" -H 'Content-Type: application/json' -d "$2" "http://d$1"; }

# ---- a sweep ----------------------------------------------------------------

mkdir "$place/tasks"
cp -r "$here/tasks/toy-cli" "$place/tasks/toy"
sed -i 's/"name": "toy-cli"/"name": "toy"/' "$place/tasks/toy/task.json"
sed -i 's/sleep 0.6/sleep 0.4/' "$place/tasks/toy/records/1/train.sh"

# replay NAME STEP WHAT...: versions in a chain, each sleeping so long; "x" crashes, "9"
# misses the target. What fails has no children.
replay() {
    local dir=$place/$1 record=$place/tasks/toy/records/$2/train.sh parent=0 n=0 edit what
    shift 2
    mkdir "$dir"
    for what; do
        case $what in
        x) edit='s/^sleep .*/exit 3/' ;;
        9) edit='s/echo 1/echo 9/' ;;
        *) edit="s/^sleep .*/sleep $what/" ;;
        esac
        sed "$edit" "$record" | jq -Rs --argjson p $parent --arg h "Try $what" \
            '{parent: $p, hypothesis: $h, edits: [{op: "write", path: "train.sh", content: .}]}'
        n=$((n + 1))
        case $what in x | 9) ;; *) parent=$n ;; esac
    done | jq -s '{version: 1, title: "Naps", steps: .}' >"$dir/replay.json"
}

# experiment STEP AGENT SWEEP CONFIG [LABEL]: made and named in $id; nothing is run.
made=0 e=()
experiment() {
    made=$((made + 1))
    id=$(post /v1/experiments "$(jq -n --arg t "toy:$1" --arg a "$2" --arg s "$3" --arg k "$3/$made" --argjson c "$4" --arg l "${5:-}" \
        '{task: $t, agent: $a, sweep: $s, key: $k, config: $c} + (if $l == "" then {} else {label: $l} end)')" | jq -r .id)
}
# play AGENT [DIR]: the agent runs on $id.
play() {
    "$PADDOCK_BIN/paddock-agent" --experiment "$id" --agent "$1" ${2:+--replay "$place/$2"} --quiet >>"$place/agents.log" 2>&1 ||
        not_ok "agent $1 on $id" "$(tail -3 "$place/agents.log")"
}
# config MODEL HINTS SEARCH SEED
config() { jq -nc --arg m "$1" --argjson h "$2" --arg s "$3" --argjson n "$4" '{model: $m, hints: $h, search: $s, seed: $n}'; }
# best EXPERIMENT: its fastest valid version.
best() { get "/v1/experiments/$1" | jq -r '[.versions[] | select(.outcome == "valid")] | min_by(.seconds) | .id'; }

replay well 1 0.3 x 0.2
replay badly 1 x 0.36 9 0.38
replay never 1 x 9
replay two 2 0.1

"$paddock" ls >/dev/null 2>&1 # starts the daemon
s=trial
for cell in 'alpha [] flat well' 'alpha [] flat badly' 'alpha [] tree badly' 'alpha [1] flat well' 'alpha [1] tree never' \
    'beta [] flat never' 'beta [1] flat well'; do
    read -r model hints search plays <<<"$cell"
    experiment 1 replay $s "$(config "$model" "$hints" "$search" 1)"
    play replay "$plays"
    e[made]=$id
done
experiment 2 replay $s "$(config alpha '[1]' flat 1)"
play replay two
step2=$id
experiment 1 reference $s '{"hints": []}'
play reference
experiment 1 noop $s '{"hints": []}'
play noop
noop=$id
experiment 1 other $s "$(config alpha '[1,2]' greedy 1)" # stays open
open=$id

# ---- nobody vouches for these texts -------------------------------------------

evil=$'</script><script>alert(1)</script>"\'<img src=x onerror=alert(2)>&amp;\u202e\u001b[2J'
experiment 1 'other' "$s" "$(jq -n --arg e "$evil" '{model: ("=cmd()" + $e), hints: [2], search: "tree", seed: 1}')" "label $evil"
hostile=$id
root=$(get "/v1/experiments/$id" | jq -r '.versions[0].id')
bad_version=$(post "/v1/experiments/$id/versions" "$(jq -n --arg p "$root" --arg e "$evil" \
    '{parent: $p, hypothesis: $e, note: {kind: "draft", summary: ("said " + $e)}, edits: [{op: "write", path: "notes/x\"<script>.txt", content: ($e + "\n")},
      {op: "write", path: "train.sh", content: ("echo \"</script><b>" + "\" >&2; exit 7\n")}]}')" | jq -r .id)
post "/v1/experiments/$id/versions" "$(jq -n --arg p "$root" --arg e "$evil" '{parent: $p, hypothesis: "y", abandoned: ("gave up " + $e)}')" >/dev/null
for _ in $(seq 200); do
    [ "$(get "/v1/versions/$bad_version" | jq -r .state)" = "done" ] && break
    sleep 0.1
done
post "/v1/experiments/$id/finish" "$(jq -n --arg e "$evil" '{status: "failed", reason: $e}')" >/dev/null

# ---- what is measured, and what it cost ----------------------------------------

call() { # call EXPERIMENT KEY COST
    post "/v1/experiments/$1/calls" "$(jq -n --arg k "$2" --argjson c "$3" '{key: $k, role: "coder", model: "alpha", request_sha256: ("0" * 64),
        request: {}, reply: "x", input_tokens: 100, cached_tokens: 10, output_tokens: 20, reasoning_tokens: 5, cost: $c,
        latency_ms: 5, retries: 0, began: "2026-01-01T00:00:00Z"}')" >/dev/null
}
call "${e[1]}" a 0.25
call "${e[2]}" a 0.5
call "${e[5]}" a 0.0001

# e3 stays without a score, and so does what has nothing valid.
mapfile -t wanted < <(for of in "${e[1]}" "${e[2]}" "${e[4]}" "${e[7]}" "$noop"; do best "$of"; done)
"$paddock" score "${wanted[@]}" --blocks-min 3 --blocks-max 5 --half-width 0.1 --quiet >"$place/score.log" 2>&1 || not_ok 'measured' "$(cat "$place/score.log")"
"$paddock" score "$(best "$step2")" --blocks-min 3 --blocks-max 7 --half-width 0.1 --quiet >>"$place/score.log" 2>&1 || not_ok 'measured, step 2' "$(cat "$place/score.log")"

# ---- without charts: no script at all -------------------------------------------

"$paddock" report --sweep $s -o "$place/plain.html" --no-charts --csv "$place/report.csv" --json-file "$place/report.json" \
    --quiet >"$place/said" 2>"$place/errors"
is 'a report of a sweep is written' "$?" 0
has 'the terminal gets the means' "$(cat "$place/said")" '^alpha +none +flat +2 +2 +0\.[0-9]+ \[[0-9.−-]+, [0-9.]+\]'
r=$(cat "$place/report.json")
want 'the document has every experiment of the sweep' '.format == "paddock-report" and (.experiments | length) == 12 and (.tasks | length) == 2' "$r"
want 'what they are worth' \
    '[.experiments[].worth] | sort == ["failed", "nothing-valid", "nothing-valid", "open", "scored", "scored", "scored", "scored", "scored", "scored", "unmeasured", "unmeasured"]' "$r"
score=$(get "/v1/experiments/${e[1]}" | jq '[.versions[].scores[]] | last | .fsr')
want 'an FSR is that of the score' "(.experiments[] | select(.id == \"${e[1]}\")).fsr == $score" "$r"
want 'nothing valid is 0, what is not measured is null' \
    "(.experiments[] | select(.id == \"${e[5]}\")).fsr == 0 and (.experiments[] | select(.id == \"${e[3]}\" or .id == \"$open\" or .id == \"$hostile\") | .fsr) == null" "$r"
want 'a mean is that of its experiments' \
    '. as $r | .groups[] | select(.by == "model" and .model == "alpha") | .counted == 5 and (.mean.estimate - ([$r.experiments[] | select(.model == "alpha") | .fsr | values] | add / 5) | fabs < 1e-9)' "$r"
want 'an interval where a step has two experiments, else none' \
    '[.groups[] | select(.by == "cell" and .model == "alpha" and .search == "flat") | {hints, known: (.mean.low != null), one: .strata_of_one}] == [{hints: "none", known: true, one: 0}, {hints: "1", known: false, one: 2}]' "$r"
want 'similarity: the next record is the known change, nothing is none of it' \
    '[.experiments[] | select(.model == "reference" or .model == "noop") | .similarity.f1] == [1, 0]' "$r"
want 'outcomes over the search' \
    '.steps[] | select(.model == "alpha" and .search == "flat") | [.steps[] | [.buggy, .improved, ."no-improvement"]] == [[1, 3, 0], [2, 1, 0], [1, 2, 0], [0, 0, 1]]' "$r"
want 'cost: what is not measured is not paid' '.groups[] | select(.by == "all") | (.cost - 0.7501 | fabs < 1e-9) and .tokens == 360 and .cost_per_recovered_s > 0' "$r"
want 'rules' '[.rules[] | select(.measured | not) | .rule] | contains(["exit-status", "target-missed"])' "$r"
want 'what was given up is no bug' ".experiments[] | select(.id == \"$hostile\") | [.versions[] | .class] == [null, \"buggy\", \"abandoned\"]" "$r"
is 'the same again is the same' \
    "$("$paddock" report --sweep $s --json --quiet | jq -S 'del(.created)' | sha256sum)" "$(jq -S 'del(.created)' <<<"$r" | sha256sum)"
want 'single experiments' '[.experiments[].id] == ["'"${e[1]}"'", "'"$noop"'"]' "$("$paddock" report "$noop" "${e[1]}" "$noop" --json --quiet)"
has 'an unknown sweep is named' "$("$paddock" report --sweep nope --json --quiet 2>&1)" 'sweep nope has no experiments'
has 'nothing asked for is said' "$("$paddock" report -o "$place/x.html" 2>&1)" 'of what\?'
has 'a missing chart library is named, with its package' \
    "$("$paddock" report "${e[1]}" -o "$place/x.html" --d3 "$place/nothing.js" --quiet 2>&1)" 'install the Debian package node-d3'
if [ -e "$place/x.html" ]; then not_ok 'then there is no page'; else ok 'then there is no page'; fi
mv "$place/tasks/toy" "$place/tasks/gone"
want 'a task that is gone costs its known change, not the report' \
    '(.experiments | length) == 1 and .experiments[0].fsr != null and .experiments[0].similarity == null and .tasks[0].known_change != null' \
    "$("$paddock" report "${e[1]}" --json --quiet)"
mv "$place/tasks/gone" "$place/tasks/toy"

# The pages and the CSV read as others read them.
cat >"$place/check.py" <<'END'
import base64, collections, csv, hashlib, html.parser, re, sys

def say(name, good, why=""):
    print(("ok - " if good else "not ok - ") + name)
    if not good:
        print("  ", why)

class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.attrs, self.inline = collections.Counter(), [], set(), []
        self.policy, self.links, self.open, self.within, self.bad = "", [], [], None, []
        self.feed(text)
    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        attrs = dict(attrs)
        self.attrs |= set(attrs)
        if "id" in attrs: self.ids.append(attrs["id"])
        if tag == "a": self.links.append(attrs.get("href", ""))
        if attrs.get("http-equiv") == "Content-Security-Policy": self.policy = attrs["content"]
        if tag in ("script", "style"): self.within = (tag, attrs.get("type"))
        if tag not in ("meta", "br", "img", "input", "link"): self.open.append(tag)
    def handle_endtag(self, tag):
        self.within = None
        if not self.open or self.open.pop() != tag: self.bad.append(tag)
    def handle_data(self, data):
        if self.within: self.inline.append((*self.within, data))

def check_page(path, scripts):
    name = path.rsplit("/", 1)[-1]
    text = open(path, encoding="utf-8", newline="").read()
    p = Page(text)
    say(f"{name}: elements are closed in order", not p.bad and not p.open, (p.bad[:3], p.open[:3]))
    known = {"html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "p", "nav", "a", "main", "section",
             "dl", "div", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "b", "i", "br", "small", "figure", "figcaption",
             "details", "summary", "ul", "li", "span", "pre", "script"}
    say(f"{name}: no element that we did not write", set(p.tags) <= known, set(p.tags) - known)
    say(f"{name}: {scripts} scripts", p.tags["script"] == scripts, p.tags["script"])
    say(f"{name}: no attribute that runs or loads", p.attrs <= {"lang", "charset", "http-equiv", "content", "name", "class", "id", "href",
        "scope", "hidden", "data-chart", "type"}, p.attrs)
    say(f"{name}: links lead to places of the page", all(l[1:] in p.ids for l in p.links), [l for l in p.links if l[1:] not in p.ids])
    say(f"{name}: ids are used once", len(set(p.ids)) == len(p.ids))
    runs = re.findall(r"<(style|script)>(.*?)</\1>", text, re.S)
    hashes = ["sha256-" + base64.b64encode(hashlib.sha256(b.encode()).digest()).decode() for _, b in runs]
    allowed = re.findall(r"'(sha256-[^']*)'", p.policy)
    say(f"{name}: the policy allows just what is there", sorted(hashes) == sorted(allowed) and p.policy.startswith("default-src 'none'")
        and "unsafe" not in p.policy, (hashes, allowed))
    ours = re.sub(r"<script>.*?</script>", "", text, flags=re.S)
    say(f"{name}: no control characters", not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", ours))
    say(f"{name}: hostile text is shown as text", "&lt;/script&gt;&lt;script&gt;alert(1)" in text and "\\x1b[2J" in text)
    say(f"{name}: what is not measured is said, and diffs are there", "not measured" in text and 'class="del">-sleep 0.4' in text)

if sys.argv[1] == "csv":
    rows = list(csv.DictReader(open(sys.argv[2], newline="", encoding="utf-8", errors="replace")))
    say("csv: a row for each experiment", len(rows) == 12, len(rows))
    say("csv: numbers where there are some, else nothing", all((r["fsr"] != "") == (r["worth"] in ("scored", "nothing-valid")) for r in rows))
    number = re.compile(r"-?[0-9.e+-]*$")
    say("csv: no cell is a formula", not [c for r in rows for c in r.values() if c[:1] in "=+-@" and c and not number.match(c)])
else:
    check_page(sys.argv[2], int(sys.argv[3]))
END
python3 "$place/check.py" csv "$place/report.csv" >"$place/checked" 2>&1 || not_ok 'the CSV reads' "$(tail -3 "$place/checked")"
python3 "$place/check.py" page "$place/plain.html" 0 >>"$place/checked" 2>&1 || not_ok 'the page reads' "$(tail -3 "$place/checked")"

# ---- with charts, in a browser ---------------------------------------------------

if [ -r /usr/share/nodejs/d3/dist/d3.min.js ]; then
    "$paddock" report --sweep $s -o "$place/report.html" --quiet >/dev/null 2>"$place/errors"
    is 'a page with charts is written' "$?$(cat "$place/errors")" 0
    python3 "$place/check.py" page "$place/report.html" 3 >>"$place/checked" 2>&1 || not_ok 'the page with charts reads' "$(tail -3 "$place/checked")"
else
    echo 'ok - a page with charts # SKIP the package node-d3 is not installed'
fi
cat "$place/checked"
grep -q '^not ok' "$place/checked" && bad=1

browser=$(command -v chromium || command -v chromium-browser || true)
if [ -z "$browser" ] || [ ! -s "$place/report.html" ]; then
    echo 'ok - the page in a browser # SKIP Chromium or node-d3 is not installed'
    exit $bad
fi
# browse OPTION...: what the browser logs is in $place/console.
browse() {
    timeout 60 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --hide-scrollbars \
        --user-data-dir="$place/profile" --enable-logging=stderr --window-size=1200,6000 --force-device-scale-factor=0.25 \
        "$@" "file://$place/report.html" 2>"$place/console"
}
dom=$(browse --dump-dom)
is 'the browser has no complaint' "$(grep -c CONSOLE "$place/console")" 0
is 'every chart is drawn and shown' "$(grep -oE '<figure[^>]*data-chart[^>]*>' <<<"$dom" | grep -c hidden)" 0
# Means of three models, margins, two records, six or more searches, similarity; keys besides.
charts=$(grep -oE '<svg[^>]*role="img"' <<<"$dom" | wc -l)
if [ "$charts" -ge 13 ]; then ok 'as many charts as there are numbers for'; else not_ok 'as many charts as there are numbers for' "$charts"; fi
is 'a bar for each kind of outcome of each step' "$(grep -oE '<rect class="(buggy|abandoned|no-improvement|improved)"' <<<"$dom" | wc -l)" \
    "$(jq '[.steps[].steps[] | to_entries[] | select(.value > 0)] | length' <<<"$r")"
is 'no script of a hostile text has run' "$(grep -c '<img' <<<"$dom")" 0
lacks 'no chart holds a number that is none' "$(grep -oE '<(circle|rect|line|path|g|svg) [^>]*>' <<<"${dom%%<script type*}")" 'NaN|Infinity|undefined'

browse --screenshot="$place/light.png" --blink-settings=preferredColorScheme=1
browse --screenshot="$place/dark.png" --blink-settings=preferredColorScheme=0
browse --no-pdf-header-footer --print-to-pdf="$place/print.pdf"
cat >"$place/colours.py" <<'END'
# The colours of a PNG of 8 bits with or without alpha: the ground first, then all.
import sys, zlib
data = open(sys.argv[1], "rb").read()
at, packed = 8, b""
while at < len(data):
    size, kind = int.from_bytes(data[at:at + 4], "big"), data[at + 4:at + 8]
    body = data[at + 8:at + 8 + size]
    if kind == b"IHDR": width, height, step = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big"), 3 if body[9] == 2 else 4
    if kind == b"IDAT": packed += body
    at += 12 + size
raw, stride, last, seen = zlib.decompress(packed), width * step, bytearray(width * step), {}
for y in range(height):
    how, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
    for i in range(stride) if how else ():
        a, b, c = (row[i - step] if i >= step else 0), last[i], (last[i - step] if i >= step else 0)
        if how == 4:
            p = a + b - c
            near = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        row[i] = (row[i] + (a if how == 1 else b if how == 2 else (a + b) // 2 if how == 3 else near)) & 255
    for i in range(0, stride, step): seen[bytes(row[i:i + 3])] = seen.get(bytes(row[i:i + 3]), 0) + 1
    last = row
    if y == 0: print("ground", row[:3].hex())
print(" ".join(c.hex() for c, n in seen.items() if n >= 20))
END
light=$(python3 "$place/colours.py" "$place/light.png")
dark=$(python3 "$place/colours.py" "$place/dark.png")
has 'on a light ground, with bars in their colours' "$light" '^ground ffffff'
for colour in d55e00 009e73 9aa3ad; do has "… $colour" "$light" $colour; done
has 'on a dark ground, with others' "$dark" '^ground 14171b'
for colour in f0883e 3fbf8f 66707b; do has "… $colour" "$dark" $colour; done
is 'it prints' "$(head -c 5 "$place/print.pdf")" '%PDF-'
if command -v pdftotext >/dev/null; then
    has 'in print the trees are open, the diffs left out' "$(pdftotext -layout "$place/print.pdf" - | grep -E 'Try 0.36|what it changed' | sort -u)" '^ *Try 0.36$'
    lacks '… and nothing else of them' "$(pdftotext -layout "$place/print.pdf" -)" 'what it changed'
fi
[ -z "${PADDOCK_KEEP:-}" ] || cp "$place"/{light,dark}.png "$place"/print.pdf "$place"/*.html "$PADDOCK_KEEP"/
exit $bad
