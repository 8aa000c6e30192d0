#pragma once

#include "controllers/desk.h"
#include "controllers/desk_memory.h"
#include "controllers/desk_pod.h"

/* What the files of the desk share; for them alone. */

struct desk {
    struct desk_plan plan;
    struct desk_memory *memory;
};

/* Writes that somebody else was faster with are tried again so often. */
#define DESK_TRIES 4

int64_t desk_now_s(const struct desk *desk);

/** Answers with a refusal. */
enum desk_answer desk_refuse(struct error *err, enum error_code code, const char *why);

/** The same when it is us who can not: what went wrong between us and the API server is no answer
 *  to the agent's question. */
enum desk_answer desk_failed(struct error *err);

/** Has a session looked at. */
void desk_look(const struct desk *desk, const json_t *session, bool restore);

/** Reads the session that was known by this name and uid. New reference; NULL, with ERROR_NOT_FOUND
 *  when it is gone. */
json_t *desk_read_session(const struct desk *desk, bool restore, const json_t *known,
                          struct error *err) MUST_CHECK;

/** The session that owns the Job of a pod, and who asked for it; both to be released, also on
 *  failure. ERROR_GONE: one of them is not there any more. */
bool desk_session_of_job(const struct desk *desk, const struct desk_pod *pod, json_t **session,
                         json_t **invoker, struct error *err) MUST_CHECK;

/** Writes a status into the session as it was read. */
bool desk_write_status(const struct desk *desk, bool restore, const json_t *session,
                       const json_t *status, struct error *err) MUST_CHECK;

/** "namespace/name" of a Repository, as its Lease has it. The caller frees it. */
char *desk_repository_key(const json_t *repository);

/** desk_pod_read() with what is remembered. */
bool desk_find_pod(const struct desk *desk, const struct agent_caller *caller, bool init,
                   struct desk_pod *pod, struct error *err) MUST_CHECK;

/* The calls, as struct agent_desk has them. */
enum desk_answer desk_claim(void *context, const struct agent_caller *caller,
                            const struct message_claim *message, struct text *answer,
                            struct error *err);
enum desk_answer desk_progress(void *context, const struct agent_caller *caller,
                               const struct message_progress *message, struct text *answer,
                               struct error *err);
enum desk_answer desk_report(void *context, const struct agent_caller *caller,
                             const struct message_report *message, struct text *answer,
                             struct error *err);
