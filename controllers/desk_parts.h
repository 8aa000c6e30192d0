#pragma once

#include "controllers/desk.h"
#include "controllers/desk_memory.h"
#include "controllers/desk_pod.h"
#include "controllers/hook_book.h"
#include "controllers/stream_book.h"
#include "controllers/work_make.h"

/* What the files of the desk share; for them alone. */

struct desk {
    struct desk_plan plan;
    struct desk_memory *memory;
    struct hook_book *hooks;
    struct stream_book *streams;
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

/** Lets go what a sidecar that asks for work has claimed for sessions that are over, see
 *  desk_left.h. */
bool desk_let_go(const struct desk *desk, const struct agent_caller *caller,
                 const struct message_claim *message, const struct desk_pod *pod,
                 struct error *err) MUST_CHECK;

/** An init container may let its application start. */
enum desk_answer desk_pass(struct text *answer);

/** The Repository of an invoker, as far as its namespace may use it. New reference. */
json_t *desk_find_repository(const struct desk *desk, const json_t *invoker,
                             struct error *err) MUST_CHECK;

/** Nobody works on a Repository that maintenance has alone, or is about to have: then *in is false.
 */
bool desk_let_in(const struct desk *desk, const struct agent_caller *caller, const char *session,
                 const json_t *repository, bool *in, struct error *err) MUST_CHECK;

/** How a piece of work is made; as work_make_backup(). */
typedef json_t *work_maker(const struct work_request *request, struct message_work *work,
                           struct error *err);

/** Writes a piece of work as an answer to a claim. The request's Secret and cluster are looked up
 *  here. False with err as it was: it has no Repository. Else: ERROR_INVALID, ERROR_FORBIDDEN:
 * never, as it is. */
bool desk_say_work(const struct desk *desk, struct work_request *request, work_maker *make,
                   struct text *out, struct error *err) MUST_CHECK;

/* A pod whose volume is empty, when nobody asked for a restore by name: its session is the pod. */
bool desk_is_fresh(const struct agent_caller *caller, const char *session);
enum desk_answer desk_fresh_claim(const struct desk *desk, const struct agent_caller *caller,
                                  const struct message_claim *message, const struct desk_pod *pod,
                                  struct text *answer, struct error *err);
enum desk_answer desk_fresh_progress(const struct desk *desk, const struct agent_caller *caller,
                                     const struct message_progress *message, struct text *answer,
                                     struct error *err);
enum desk_answer desk_fresh_report(const struct desk *desk, const struct agent_caller *caller,
                                   const struct message_report *message, struct text *answer,
                                   struct error *err);

/**
 * Records in the Lease of the target that the command of a hook is begun.
 *
 * @param hook   "attempt:stage".
 * @param begun  Somebody has recorded it before.
 * @return       False: not recorded, or the claim is not his (ERROR_CONFLICT).
 */
bool desk_begin_hook(const struct desk *desk, const char *target, const struct desk_claim *claim,
                     const char *hook, bool *begun, struct error *err) MUST_CHECK;

/** The invoker of a session, as the caches have it; new reference, or NULL. */
json_t *desk_invoker_of(const struct desk *desk, const json_t *session, bool restore);

/** Who asks after the command of a hook. All borrowed. */
struct desk_question {
    const struct agent_caller *caller;
    const struct desk_claim *claim;
    const struct message_progress *message;
    const json_t *session;
    bool restore;
};

/** Runs the command of a hook, once, or says how it is getting on. False: ask again, err says why.
 *  `kept` holds what the verdict borrows. */
bool desk_hook(const struct desk *desk, const struct desk_question *question,
               struct message_verdict *verdict, struct text *kept, struct error *err) MUST_CHECK;

/** Whether this attempt is his, by memory or, after a change of leaders, by the ledger. */
enum desk_answer desk_judge_claim(const struct desk *desk, const struct agent_caller *caller,
                                  const struct desk_claim *claim, bool restore, struct error *err);

/** Until when a session may take; 0: for ever. */
int64_t desk_deadline_of(const json_t *session);

/* The calls, as struct agent_desk has them. */
enum desk_answer desk_stream(void *context, const struct agent_caller *caller,
                             const struct message_stream *message, int wake, struct stream **stream,
                             struct error *err);
enum desk_answer desk_claim(void *context, const struct agent_caller *caller,
                            const struct message_claim *message, struct text *answer,
                            struct error *err);
enum desk_answer desk_progress(void *context, const struct agent_caller *caller,
                               const struct message_progress *message, struct text *answer,
                               struct error *err);
enum desk_answer desk_report(void *context, const struct agent_caller *caller,
                             const struct message_report *message, struct text *answer,
                             struct error *err);
