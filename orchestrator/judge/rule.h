/*
 * Rules: why a version is not valid, as a short id that stays the same. Every
 * verdict but "valid" names one, and so does a refusal of an edit. What each
 * means: the table in docs/reference/api.md, which a test compares with this list.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_RULE_H
#define PADDOCK_ORCHESTRATOR_JUDGE_RULE_H

/* What was measured or examined. */
#define RULE_TARGET_MISSED      "target-missed"
#define RULE_TARGET_UNSURE      "target-not-significant"
#define RULE_NOT_FINITE         "not-finite"
#define RULE_LOCKSTEP_BROKEN    "lockstep-broken"
#define RULE_EXAMINE_STATE      "examine-state"
#define RULE_NO_ARTIFACT        "no-artifact"
#define RULE_ARTIFACT_TOO_LARGE "artifact-too-large"
#define RULE_ARTIFACT_REFUSED   "artifact-refused"
#define RULE_TIME_FLOOR         "time-floor"
#define RULE_NO_LOSS            "no-loss"
#define RULE_AUDIT_FRESH        "audit-fresh"
#define RULE_AUDIT_SHUFFLED     "audit-shuffled"
#define RULE_AUDIT_BABBLE       "audit-babble"
/* How a run ended. */
#define RULE_BUILD_FAILED     "build-failed"
#define RULE_BUILT_TOO_LARGE  "built-too-large"
#define RULE_EXIT_STATUS      "exit-status"
#define RULE_SIGNAL           "signal"
#define RULE_WALL_LIMIT       "wall-limit"
#define RULE_CPU_LIMIT        "cpu-limit"
#define RULE_MEMORY_LIMIT     "memory-limit"
#define RULE_PIDS_LIMIT       "pids-limit"
#define RULE_OUTPUT_LIMIT     "output-limit"
#define RULE_DISK_LIMIT       "disk-limit"
#define RULE_POLICY_VIOLATION "policy-violation"
#define RULE_INIT_LIMIT       "init-limit"
#define RULE_CLOCK_BROKEN     "clock-broken"
#define RULE_CANCELLED        "cancelled"
/* Nobody's fault but the machine's or the task's. */
#define RULE_FENCE_FAILED    "fence-failed"
#define RULE_NO_RESULT       "no-result"
#define RULE_EXAMINER_FAILED "examiner-failed"
#define RULE_NOT_RUN         "not-run"
/* Refused when it was handed in. */
#define RULE_NOT_EDITABLE     "not-editable"
#define RULE_SOURCE_TOO_LARGE "source-too-large"
#define RULE_TOO_MANY_FILES   "too-many-files"
#define RULE_SOURCE_PAYLOAD   "source-payload"

#endif
