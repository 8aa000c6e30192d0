#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

/*
 * Who of several equal processes leads: what to do next with the Lease, given what came of the last
 * request. Pure; time and chance are arguments, kube/lease.h carries the steps out.
 *
 * Nobody compares clocks. One who has renewed leads for leads_ms from when the request was sent;
 * the others take the Lease when they have seen it unchanged for duration_ms, which is longer, and
 * each counts by a clock of its own. So two never lead together as long as no clock runs
 * duration_ms / leads_ms times as fast as another; pauses, lost answers and late requests do not
 * matter, since each write names the version that it replaces.
 *
 * A Lease that is not there says nothing: somebody may have deleted it under its leader. So one who
 * creates it renews it for duration_ms before he leads, as does everybody who meets a Lease of
 * another UID as his own without knowing how; a leader whose Lease is gone is lost. Only a Lease
 * that was given back tells that its leader has ended, so it is given back by one who could lead
 * alone.
 *
 * One who has led and does not any more is at its end: its process has to go. Spec: catalogue LE1
 * to LE10, PF2.
 */

/** Times; zeros stand for the defaults. */
struct election_rules {
    int64_t duration_ms; /* 15,000 */
    int64_t leads_ms;    /* 10,000; less than the duration */
    int64_t retry_ms;    /* between renewals: 2,000; between looks of others up to half more */
    int64_t answer_ms;   /* of one request: 4,000 */
};

/** What a Lease says. {0}: there is none. */
struct election_record {
    bool present;
    char holder[ELECTION_NAME_MAX_CHARS + 1]; /* "" nobody */
    int64_t duration_s, transitions;
    char version[KUBE_VERSION_MAX_CHARS + 1], uid[KUBE_VERSION_MAX_CHARS + 1];
};

enum election_act {
    ELECTION_WAIT,    /* do nothing for wait_ms */
    ELECTION_READ,    /* get the Lease */
    ELECTION_CREATE,  /* there is none: create it, ours */
    ELECTION_TAKE,    /* patch it to be ours */
    ELECTION_RENEW,   /* the same, it is ours */
    ELECTION_RELEASE, /* give it back */
    ELECTION_LOST,    /* over: led, and does not any more, or must not */
    ELECTION_OVER     /* over: as was wished */
};

struct election_step {
    enum election_act act;
    int64_t wait_ms;
    int64_t timeout_ms; /* of the request, which is to be sent at once */
};

enum election_end {
    ELECTION_BEGAN,   /* nothing was done yet */
    ELECTION_WAITED,  /* also for less than was asked for */
    ELECTION_SEEN,    /* READ: `record`, which may be absent */
    ELECTION_WRITTEN, /* CREATE, TAKE, RENEW, RELEASE: `record`, as it is now */
    ELECTION_FAILED   /* any of them: refused, somebody was faster, or not known */
};

struct election_outcome {
    enum election_end end;
    const struct election_record *record; /* borrowed */
};

/** The state. Begin with election_make(); holds nothing to be released. */
struct election {
    struct election_rules rules;
    char self[ELECTION_NAME_MAX_CHARS + 1];
    struct election_record seen; /* the last that was read or written */
    int64_t seen_ms;             /* since when it is known to be so */
    bool fresh;                  /* nothing was written since, as far as we are concerned */
    int64_t alone_ms;            /* from when nobody leads by a Lease that was there before */
    bool claimed;                /* tried to have it, ever */
    bool led, stopping, over;
    enum election_act act; /* that is under way */
    int64_t sent_ms;
    int64_t next_ms;        /* when it is time for the next request */
    int64_t leads_until_ms; /* 0: does not lead */
    int64_t stop_until_ms;  /* giving back is tried so long */
};

/**
 * @param self    Unique for each process that ever lives: 1 to ELECTION_NAME_MAX_CHARS characters.
 * @param now_ms  A clock that goes on while the machine sleeps, above 0.
 */
struct election election_make(const struct election_rules *rules, const char *self, int64_t now_ms);

/** @param random  Any 64 bits. */
struct election_step election_next(struct election *election,
                                   const struct election_outcome *outcome, int64_t now_ms,
                                   uint64_t random);

/** How long it is sure to lead; 0: does not. To be asked before each write. */
int64_t election_left_ms(const struct election *election, int64_t now_ms);

/** To be given back, once all guarded work has ended: from now on it does not lead. Between two
 *  steps; the next may come at once. What follows takes ELECTION_STOP_MS at most. */
void election_stop(struct election *election, int64_t now_ms);

/** Reads a Lease; NULL: there is none. What is missing or too long counts as empty. */
struct election_record election_record(const json_t *lease);

/**
 * What the request of a step sends: a Lease for CREATE, else a merge patch that names the version;
 * without its name. New reference.
 *
 * @param wall_ms  For people: nobody reads it to decide.
 */
json_t *election_body(const struct election *election, enum election_act act, int64_t wall_ms);
