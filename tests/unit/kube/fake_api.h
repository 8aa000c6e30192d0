#pragma once

#include <stdint.h>

#include "kube/watched.h"
#include "tests/property/random.h"
#include "tests/unit/certs/pem.h"
#include "tests/unit/kube/folder.h"

/*
 * An API server that has one kind and does much wrong, over loopback HTTP or TLS: objects come,
 * change and go at random while they are watched, tokens and certificates are rotated, and answers
 * fail in every way that a script of a seed knows.
 * In the end all is quiet: the last object is "zz-last", and from then on everything works.
 *
 * Objects change only while a request is served, so that a seed does the same each time.
 */
struct fake_api;

/** What it does with a streaming list. */
enum fake_streams {
    STREAMS_SERVED,
    STREAMS_INVALID,  /* 422 */
    STREAMS_UNKNOWN,  /* 400 */
    STREAMS_FAIL,     /* 200 and an ERROR event 500, as with etcd 3.4 */
    STREAMS_IGNORED,  /* watched from now on, without initial events */
    STREAMS_UNMARKED, /* initial events without their end */
    STREAMS_BUSY,     /* the same, and it goes on and on */
    STREAMS_KINDS
};

struct fake_script {
    uint64_t seed;
    const struct kube_watched *watched;
    enum fake_streams streams;
    int changes;    /* of objects, before the last one */
    int faults;     /* while they last, and there are changes */
    unsigned often; /* a fault at so many of 100 chances */
    bool bookmarks;
    bool cut_each_byte; /* no other faults: the watch that sends change N is cut behind byte N, and
                           begins anew; by FIN or RST in turn */
    const struct pem_pair *pairs; /* for certificates of "localhost"; NULL: plain HTTP, no token */
    size_t pair_count;
    const struct folder *folder; /* with `pairs`: where "token" and "ca.crt" are kept, as a kubelet
                                    does */
};

struct fake_api *fake_api_start(const struct fake_script *script);
void fake_api_stop(struct fake_api *api);

/** "http://127.0.0.1:port", "https://localhost:port". Borrowed. */
const char *fake_api_url(const struct fake_api *api);

/**
 * The time, in which nothing takes long but what it keeps waiting on purpose: then each look is a
 * minute later. So no limit of time ends what a busy machine delays, and a list that comes since
 * nothing else did can not mend what was made of the events.
 */
int64_t fake_api_now_ms(struct fake_api *api);

/** New array of what it has, as it is to be kept. To be asked when "zz-last" was seen. */
json_t *fake_api_objects(struct fake_api *api);

/** What happened, for who asks why: requests and faults, a line each. The caller frees it. */
char *fake_api_story(struct fake_api *api);

/** New object: how often each fault came. */
json_t *fake_api_faults(struct fake_api *api);
