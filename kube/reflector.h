#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "kube/watch_event.h"

/*
 * How one kind is followed: what to ask the API server next, given what came of the last request.
 * Pure: time and chance are arguments; kube/follower.h carries the steps out.
 *
 * It lists once and then watches from there. A watch that ends goes on from the last version that
 * was seen; a list comes again only when that version is no longer there, or something is wrong.
 * Versions are opaque, but for one thing: when both are decimal numbers and the newer one is less,
 * the server has gone back (etcd restored), and all is listed anew.
 *
 * Pauses grow while the server is away. When it is back and says that the version is gone, as it
 * does after a long outage, the list that is needed then does not wait as long as the last pause:
 * once per outage it comes after the shortest.
 *
 * Spec: catalogue L1 to L5, W1 to W18, B1, B2, AF12.
 */

/** Times; zeros stand for the defaults. */
struct reflector_limits {
    int64_t backoff_ms, backoff_max_ms; /* after a failure: 800, doubled up to 30,000; and as much
                                           again by chance */
    int64_t backoff_reset_ms;           /* without a failure: 120,000 */
    int64_t short_ms;                   /* a watch that ends so soon is a failure: 1,000 */
    int64_t watch_s;                    /* a watch is asked for so long, up to twice of it: 300 */
    int64_t quiet_ms;                   /* without a whole event it is given up: 150,000 */
    int64_t initial_ms;                 /* the same before a streaming list is complete: 10,000 */
    int64_t initial_max_ms;             /* when it has to be complete: 60,000 */
    int64_t answer_ms;                  /* without an answer, or then without a byte of a list, a
                                           request is given up: KUBE_TIMEOUT_MS */
    int64_t page_ms;                    /* when a page of a list has to be whole: 120,000 */
    int64_t missing_ms;                 /* 404 for so long: the kind is gone with all it had, where
                                           it is optional: 60,000 */
    int64_t doubt_ms;                   /* how long it is known that a server went back: 600,000 */
    int64_t look_ms;                    /* between two looks at the clock while nothing comes: 5,000
                                         */
    int64_t second_ms;                  /* of a Retry-After: 1,000; tests shorten it */
};

enum reflector_act {
    REFLECTOR_LIST,   /* get a list, page by page */
    REFLECTOR_STREAM, /* watch with sendInitialEvents: a list as events, then what happens */
    REFLECTOR_WATCH,  /* watch from `version` on */
    REFLECTOR_WAIT    /* do nothing for wait_ms */
};

struct reflector_step {
    enum reflector_act act;
    const char *version; /* resourceVersion to ask with, "" none; until the next call */
    int64_t limit;       /* LIST: items of a page; 0: all in one */
    int64_t timeout_s;   /* STREAM, WATCH: timeoutSeconds */
    int64_t quiet_ms;    /* STREAM, WATCH: how long nothing may come */
    int64_t wait_ms;
};

enum reflector_end {
    REFLECTOR_BEGAN,    /* nothing was done yet */
    REFLECTOR_WAITED,   /* the time has passed */
    REFLECTOR_LISTED,   /* the list is complete */
    REFLECTOR_FAILED,   /* a list failed, or a watch could not be opened */
    REFLECTOR_ENDED,    /* a watch was ended or broke off, at a whole event or not */
    REFLECTOR_SILENT,   /* nothing whole came for quiet_ms; a streamed list did not get complete */
    REFLECTOR_REPORTED, /* an ERROR event */
    REFLECTOR_GARBLED,  /* what came is no event */
    REFLECTOR_LEFT      /* reflector_saw() said so */
};

/** What came of a step. */
struct reflector_outcome {
    enum reflector_end end;
    int status;             /* FAILED, REPORTED: HTTP status, Status.code; 0: no answer */
    bool too_large_version; /* FAILED, REPORTED */
    int64_t retry_after_s;  /* FAILED: as the server said; 0: it did not */
    bool later_page;        /* FAILED: not the first page of a list */
    const char *version;    /* LISTED: of the (first) page */
    bool paged;             /* LISTED: there was more than one */
    int64_t lasted_ms;      /* ENDED: since it was opened */
};

/** The state. Begin with reflector_make(); holds nothing to be released. */
struct reflector {
    struct reflector_limits limits;
    enum reflector_act act;                   /* what is done, or will be after waiting */
    char version[KUBE_VERSION_MAX_CHARS + 1]; /* the last that was seen; "" none */
    bool fresh;              /* that version was refused, or can not be trusted: ask without */
    bool listed;             /* a list was completed, ever */
    bool away;               /* since it was last of use, the server did not answer at least once */
    bool streams;            /* streaming lists are not known to fail */
    bool paged;              /* the server pages also where it does not have to */
    bool whole;              /* pages expired under way: this list without */
    int64_t events;          /* of this watch, bookmarks too */
    int cut, errors, silent; /* in turn: streaming lists, errors 500, watches without a byte */
    int64_t backoff_ms, failed_ms;
    int64_t back_ms; /* when the server had gone back; -1: never */
};

/** @param streams  Whether to try streaming lists. */
struct reflector reflector_make(const struct reflector_limits *limits, bool streams);

/**
 * @param now_ms  Steady clock.
 * @param random  Any 64 bits.
 */
struct reflector_step reflector_next(struct reflector *reflector,
                                     const struct reflector_outcome *outcome, int64_t now_ms,
                                     uint64_t random);

/** What to do with an event. */
enum reflector_verdict {
    REFLECTOR_TAKE,     /* into the store; while a list is streamed: to what has come of it */
    REFLECTOR_COMPLETE, /* the streamed list is complete: it replaces the store */
    REFLECTOR_LEAVE     /* drop it, and end the watch (REFLECTOR_LEFT) */
};

/** An event of a STREAM or WATCH came: CHANGED, DELETED or BOOKMARK. */
enum reflector_verdict reflector_saw(struct reflector *reflector, const struct watch_event *event,
                                     int64_t now_ms);

/** True for a while after the server had gone back: what a list does not have any more may only be
 *  forgotten, not deleted by somebody. Spec: catalogue AF12. */
bool reflector_in_doubt(const struct reflector *reflector, int64_t now_ms);
