#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controllers/work_next.h"

/*
 * The life of a BackupSession: Pending until its BackupConfiguration is Ready and the target is
 * free, Running while hosts are backed up, then Succeeded, Failed or Skipped, for ever.
 * Spec: stash-behaviour 1.5, 5.5 and 5.6; metrics never decide a phase here.
 */

/* Seconds that a session waits for a BackupConfiguration that is not Ready: a Secret that is
 * replaced, a cache that is behind. */
#define SESSION_READY_WAIT_S 300

/* Seconds that a session waits for its target at most: by then a daily schedule has made the
 * next one. */
#define SESSION_WAIT_MAX_S 86400

enum session_phase {
    SESSION_NEW,
    SESSION_PENDING,
    SESSION_RUNNING,
    SESSION_SUCCEEDED,
    SESSION_FAILED,
    SESSION_SKIPPED,
    SESSION_UNKNOWN /* written by somebody else; final */
};

/** What is found; texts are borrowed. */
struct session {
    struct work work; /* its phase follows from `phase`, and is set here */
    enum session_phase phase;
    int64_t created_s;
    int64_t timeout_s;     /* 0: none */
    const char *not_ready; /* why its configuration is not Ready; NULL: it is */
    bool sibling_running;  /* another session of the same configuration is */
    bool ahead;            /* an older session of the target has not begun (by creation, name) */
    int32_t retry_left;
    int64_t retry_delay_s;
    int64_t next_retry_s; /* 0: not yet settled */
    bool retried, has_successor;
};

enum session_action {
    SESSION_WAIT,         /* until something changes, at most until look_s */
    SESSION_PEND,         /* phase Pending, for the `message` given */
    SESSION_SKIP,         /* phase Skipped, likewise */
    SESSION_WORK,         /* a step of `work` */
    SESSION_PLAN_RETRY,   /* nextRetry: `next_retry_s` */
    SESSION_RETRY,        /* make the session that tries again: its name follows from our UID */
    SESSION_MARK_RETRIED, /* retried: true */
    SESSION_DONE,
};

struct session_step {
    enum session_action action;
    struct work_step work;
    char message[256];
    int64_t next_retry_s;
    int64_t look_s;
};

/** The next step. Pure. */
struct session_step session_next(const struct session *session, int64_t now_s);

/** The phase of a status, SESSION_NEW of NULL and "", SESSION_UNKNOWN of what is no phase; and its
 *  word. */
enum session_phase session_phase_of(const char *word);
const char *session_phase_word(enum session_phase phase);

/** True when nothing more will happen to a session of this phase. */
bool session_phase_is_final(enum session_phase phase);

/** When its timeOut ends it; 0: never. */
int64_t session_deadline_s(const struct session *session);

/** One session of a configuration, for its history. */
struct session_past {
    const char *name;
    int64_t created_s;
    enum session_phase phase;
    bool busy; /* holds its target's Lease, or is to be tried again */
    bool surplus;
};

/**
 * Marks as surplus what the history does not keep: the newest `limit` sessions stay, whatever is
 * not final or busy, and (with a limit above 0) the newest that has succeeded or failed.
 */
void session_history(struct session_past *sessions, size_t count, int64_t limit);
