#pragma once

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "base/text.h"
#include "kube/access.h"
#include "kube/client.h"
#include "kube/rate.h"

/*
 * The inside of a client. Callers make a transfer, hand it to the loop and wait; the loop is the
 * only one to touch libcurl's multi handle, and a transfer's easy handle from then on. A caller who
 * gives up drops its reference and goes; the loop ends the transfer when it notices.
 */

/** One request on its way. Reference counted: its caller, and the loop. */
struct transfer {
    atomic_int refs;
    struct transfer *next; /* in the loop's list */
    struct kube_client *client;
    struct access_view view;
    CURL *easy;
    struct curl_slist *headers, *connect_to;
    char error[CURL_ERROR_SIZE];
    struct text body; /* to be sent; wiped at the end */
    size_t sent;
    size_t answer_max; /* bytes that may be received */
    bool stream;

    /* the loop's until `done`, or until `begun` for the first three */
    int status;
    char content_type[128];
    int64_t retry_after_s, date_s;
    bool compressed, location;
    size_t header_bytes;
    CURLcode result;
    long verified; /* what GnuTLS says of the server's certificate */
    bool connected;

    /* under the client's mutex */
    pthread_cond_t changed;
    struct text received;
    bool begun;  /* the headers of the answer are complete */
    bool done;   /* the loop is through with it */
    bool paused; /* libcurl was told to wait for the reader */
    bool too_large;

    atomic_bool unwanted; /* nobody waits any more */
    atomic_bool resume;   /* the reader has made room */
};

struct kube_client {
    struct kube_config config;
    struct kube_client_limits limits; /* no zeros left */
    char *user_agent;
    struct access *access;

    CURLM *multi;
    pthread_t thread;
    struct transfer *running; /* the loop's */
    int cancel_fd;            /* readable once cancelled */
    atomic_bool cancelled;    /* set from anywhere, a signal too */

    pthread_mutex_t mutex;
    pthread_cond_t changed; /* a place is free, somebody left, or `ended` */
    struct transfer *incoming;
    bool ended;              /* the loop takes nothing any more */
    bool stopping;           /* the loop may go once nothing is running */
    int64_t inside;          /* callers, and open streams */
    int64_t under_way;       /* calls */
    struct rate rate, reads; /* `reads` is used when the limits name it */
    unsigned short seed[3];
    struct kube_client_facts facts;
};

/** client_easy.c: a transfer that is ready to be handed over; one reference. The request was
 *  checked. Takes what `view` holds. */
struct transfer *transfer_make(struct kube_client *client, const struct kube_request *request,
                               struct access_view *view, bool stream);

void transfer_unref(struct transfer *transfer);

static inline void auto_transfer(struct transfer **transfer)
{
    transfer_unref(*transfer);
}

/** client_loop.c: hands it to the loop, which takes a reference; false when it has ended. */
bool transfer_start(struct transfer *transfer);

/** Lets the loop look at what changed (`unwanted`, `resume`). */
void transfer_wake(struct transfer *transfer);

/** client.c: counts one more who uses the client, so that it stays; false once it is cancelled. */
bool client_come_in(struct kube_client *client, struct error *err) MUST_CHECK;
void client_go_out(struct kube_client *client, bool failed);

/** Waits until *condition, or the steady clock says until_ms (then false). With the mutex. */
bool client_wait(struct kube_client *client, pthread_cond_t *changed, int64_t until_ms);

/** The body of the loop's thread. */
void *client_loop(void *client);

/** client_answer.c: moves what came into an answer and judges it.
 *  @return  True for 2xx of the right kind. */
bool transfer_answer(struct transfer *transfer, const struct kube_request *request,
                     struct kube_answer *answer, struct error *err) MUST_CHECK;

/** Says in `err` how a transfer failed without an answer, or behind its beginning. */
bool transfer_failure(const struct transfer *transfer, const struct kube_request *request,
                      struct error *err);

/** Refuses what must not stand in a request line or a header. */
bool request_check(const struct kube_request *request, struct error *err) MUST_CHECK;
