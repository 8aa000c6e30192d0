#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controllers/work_next.h"

/*
 * The life of a RestoreSession. It waits, without holding anything, until what it needs is there
 * and a pod asks; then it works as a backup does, under the same Lease of the target, so that no
 * backup reads what is being written. Spec: stash-behaviour 1.6 and 7; design, Restores that can
 * not destroy.
 */

/* Seconds without any movement until hosts that nobody has asked for have failed: the pods of a
 * StatefulSet come one after the other, each when the one before is ready. */
#define RESTORE_UNCLAIMED_S 3600

enum restore_phase {
    RESTORE_NEW,
    RESTORE_PENDING,
    RESTORE_INVALID, /* until what is wrong (usagePolicy of a Repository) is repaired */
    RESTORE_RUNNING,
    RESTORE_SUCCEEDED,
    RESTORE_FAILED,
    RESTORE_UNKNOWN /* a host went away in the middle: nobody knows what it has left behind */
};

/** What is found; texts are borrowed. */
struct restore {
    struct work work; /* its phase and limits are set here */
    enum restore_phase phase;
    int64_t created_s;
    int64_t timeout_s;     /* 0: none */
    const char *invalid;   /* why it can not work as it is; NULL: it can */
    const char *not_ready; /* what is missing: Repository, Secret, target; NULL: nothing */
    bool ahead;            /* an older unfinished RestoreSession of the workload */
    bool asked;            /* an agent waits for this session, or a Job is to do its work */
    bool lost;             /* the status has a host of phase Unknown */
};

enum restore_action {
    RESTORE_WAIT,       /* until something changes, at most until look_s */
    RESTORE_PEND,       /* phase Pending, for the `message` given */
    RESTORE_INVALIDATE, /* phase Invalid, likewise */
    RESTORE_WORK,       /* a step of `work`; of WORK_END the phase is `phase` */
    RESTORE_DONE,
};

struct restore_step {
    enum restore_action action;
    struct work_step work;
    enum restore_phase phase;
    char message[256];
    int64_t look_s;
};

/** The next step. Pure. */
struct restore_step restore_next(const struct restore *restore, int64_t now_s);

/** The phase of a status, RESTORE_NEW of NULL and "", RESTORE_UNKNOWN of what is no phase; and its
 *  word. */
enum restore_phase restore_phase_of(const char *word);
const char *restore_phase_word(enum restore_phase phase);
bool restore_phase_is_final(enum restore_phase phase);

/** What an init container hears that asks for its session. */
enum restore_answer {
    RESTORE_HOLD,  /* the application does not start now */
    RESTORE_OFFER, /* there is work for it, see claims_ask() */
    RESTORE_PASS   /* the application may start */
};

/**
 * Whether an application may start: when this host was restored, was never meant to be, when a
 * person said so (annotation granary.dev/start-anyway), or took the session away; and when it came
 * after all others were restored (it starts fresh). A failed restore holds it, for ever.
 *
 * @param host     Index in restore->work.hosts, or -1: the session does not cover it.
 * @param deleted  The session is gone: restore is not looked at and may be NULL.
 */
enum restore_answer restore_answer(const struct restore *restore, long host, bool start_anyway,
                                   bool deleted, int64_t now_s);
