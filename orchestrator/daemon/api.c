#include "orchestrator/daemon/api.h"

#include "common/cleanup.h"
#include "orchestrator/daemon/id.h"

#include <string.h>

const struct route api_routes[] = {
    {"GET", "/v1/health", BODY_NONE, api_health},
    {"GET", "/v1/machine", BODY_NONE, api_machine},
    {"GET", "/v1/lanes", BODY_NONE, api_lanes},
    {"GET", "/v1/gpus", BODY_NONE, api_gpus},
    {"POST", "/v1/gpus/{gpu}/clear", BODY_OPTIONAL, api_gpu_clear},
    {"GET", "/v1/events", BODY_NONE, api_events},
    {"POST", "/v1/gc", BODY_OPTIONAL, api_gc},
    {"POST", "/v1/shutdown", BODY_OPTIONAL, api_shutdown},

    {"GET", "/v1/tasks", BODY_NONE, api_tasks},
    {"GET", "/v1/tasks/{task}", BODY_NONE, api_task},
    {"GET", "/v1/tasks/{task}/hints/{step}/{level}", BODY_NONE, api_hint},
    {"GET", "/v1/tasks/{task}/calibration", BODY_NONE, api_task_calibration},
    {"GET", "/v1/boards/{task}/{step}", BODY_NONE, api_board},

    {"GET", "/v1/experiments", BODY_NONE, api_experiments},
    {"POST", "/v1/experiments", BODY_REQUIRED, api_experiment_create},
    {"GET", "/v1/experiments/{id}", BODY_NONE, api_experiment},
    {"POST", "/v1/experiments/{id}/versions", BODY_REQUIRED, api_version_create},
    {"GET", "/v1/experiments/{id}/calls", BODY_NONE, api_calls},
    {"POST", "/v1/experiments/{id}/calls", BODY_REQUIRED, api_call_create},
    {"GET", "/v1/experiments/{id}/calls/{number}", BODY_NONE, api_call},
    {"POST", "/v1/experiments/{id}/finish", BODY_REQUIRED, api_experiment_finish},
    {"POST", "/v1/experiments/{id}/cancel", BODY_OPTIONAL, api_experiment_cancel},

    {"GET", "/v1/versions/{id}", BODY_NONE, api_version},
    {"GET", "/v1/versions/{id}/files", BODY_NONE, api_version_files},
    {"GET", "/v1/versions/{id}/file", BODY_NONE, api_version_file},
    {"GET", "/v1/versions/{id}/snapshot", BODY_NONE, api_version_snapshot},
    {"GET", "/v1/versions/{id}/diff", BODY_NONE, api_version_diff},
    {"POST", "/v1/versions/{id}/note", BODY_REQUIRED, api_version_note},
    {"POST", "/v1/versions/{id}/cancel", BODY_OPTIONAL, api_version_cancel},

    {"GET", "/v1/runs", BODY_NONE, api_runs},
    {"GET", "/v1/runs/{id}", BODY_NONE, api_run},
    {"GET", "/v1/runs/{id}/output", BODY_NONE, api_run_output},
    {"POST", "/v1/runs/{id}/cancel", BODY_OPTIONAL, api_run_cancel},

    {"GET", "/v1/measurements", BODY_NONE, api_measurements},
    {"POST", "/v1/measurements", BODY_REQUIRED, api_measurement_create},
    {"GET", "/v1/measurements/{id}", BODY_NONE, api_measurement},
    {"GET", "/v1/measurements/{id}/scores/{version}/score.json", BODY_NONE, api_score_document},
    {"GET", "/v1/measurements/{id}/scores/{version}/runs.svg", BODY_NONE, api_score_plot},
    {"POST", "/v1/measurements/{id}/cancel", BODY_OPTIONAL, api_measurement_cancel},
    {NULL, NULL, BODY_NONE, NULL},
};

int api_id(const struct request *q, char kind, int64_t *id, struct error *err) {
    if (id_parse(kind, q->params[0], id, err) == 0) return 0;
    _cleanup_free_ char *shown = str_printable(q->params[0], strlen(q->params[0]));
    return error_wrap(err, "%s", shown ? shown : "?");
}
