/*
 * The HTTP API, version 1 (docs/reference/api.md): its table of routes. The
 * handlers are in api_*.c by subject.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_API_H
#define PADDOCK_ORCHESTRATOR_DAEMON_API_H

#include "orchestrator/daemon/daemon.h"
#include "orchestrator/daemon/http.h"

extern const struct route api_routes[];

#define API_LIST_DEFAULT 100
#define API_LIST_MAX     1000
#define API_OUTPUT_MAX   ((size_t)1 << 20)

/* The number in the first parameter, a name of this kind. */
int api_id(const struct request *q, char kind, int64_t *id, struct error *err);

route_handler api_health, api_machine, api_lanes, api_events, api_gc, api_shutdown;
route_handler api_gpus, api_gpu_clear;
route_handler api_tasks, api_task, api_hint, api_task_calibration;
route_handler api_board;
route_handler api_experiments, api_experiment, api_experiment_create, api_experiment_finish,
    api_experiment_cancel;
route_handler api_calls, api_call, api_call_create;
route_handler api_version, api_version_create, api_version_note, api_version_cancel,
    api_version_files, api_version_file, api_version_snapshot, api_version_diff;
route_handler api_runs, api_run, api_run_output, api_run_cancel;
route_handler api_measurements, api_measurement, api_measurement_create, api_measurement_cancel;
route_handler api_score_document, api_score_plot;

#endif
