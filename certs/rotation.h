#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * When a CA and what it signs are made, published, taken into use and retired. Pure: what is found
 * goes in, one step comes out; who carries it out looks again and asks again, so every step may
 * fail, or be the last one before a crash.
 *
 * There are up to three kinds of CA: the current one signs; the next one is published but signs
 * nothing yet; previous ones sign nothing any more, and are published until what they signed has
 * expired. Apart from a rotation there is the current one only.
 */

#define ROTATION_DAY_S INT64_C(86400)

/* Validity, and how long before its end the successor is made. The time between is what a
 * controller may be down without anybody noticing: at least a month. A CA lives long enough to sign
 * a whole leaf at any time before it is replaced. */
#define ROTATION_CA_LIFE_S (365 * ROTATION_DAY_S)
#define ROTATION_CA_RENEW_S (120 * ROTATION_DAY_S)
#define ROTATION_LEAF_LIFE_S (90 * ROTATION_DAY_S)
#define ROTATION_LEAF_RENEW_S (40 * ROTATION_DAY_S)

/* Up to so much earlier, by the certificate: installations made together do not renew together. */
#define ROTATION_JITTER_S (10 * ROTATION_DAY_S)

/* Certificates begin so long before they are made: clocks that are behind accept them. */
#define ROTATION_BACKDATE_S INT64_C(3600)

/* How long a CA has been everywhere before a leaf uses it: a kubelet shows a changed ConfigMap
 * after 90 s, an API server a changed webhook configuration after less than one. */
#define ROTATION_PUBLISHED_S INT64_C(300)

/* Previous CAs that are kept; more come only when Secrets are lost again and again. */
#define ROTATION_PREVIOUS_MAX 4

/* How often the world is looked at when nothing tells of a change. */
#define ROTATION_LOOK_S INT64_C(30)

/** Certificates in use: of the webhook, and of the agent API. */
enum rotation_who { ROTATION_WEBHOOK, ROTATION_AGENTS, ROTATION_LEAVES };

/** A CA. {0} is none. */
struct rotation_authority {
    bool there; /* a certificate of a CA, and its key with it */
    int64_t from_s, to_s;
    int64_t published_s; /* for how long it is known to be in every place; -1: it is not */
    uint64_t seed;       /* any number that belongs to the certificate, for the jitter */
};

/** Who signed a leaf. */
enum rotation_issuer {
    ROTATION_UNKNOWN, /* nobody of these */
    ROTATION_BY_CURRENT,
    ROTATION_BY_NEXT,
    ROTATION_BY_PREVIOUS,
    ROTATION_BY_PUBLISHED, /* a CA that is in every place now, but that we do not keep */
};

/** A leaf. {0} is none. */
struct rotation_leaf {
    bool managed; /* we are to keep one at all */
    bool good;    /* a certificate and its key */
    bool fits;    /* with the names that it is to have */
    enum rotation_issuer issuer;
    int64_t from_s, to_s;
    uint64_t seed;
};

/** What is found. */
struct rotation_seen {
    int64_t now_s;      /* wall clock */
    bool clock_doubted; /* ours and that of the API server are far apart: nothing is made by it */
    struct rotation_authority current, next;
    size_t previous;          /* how many there are */
    int64_t previous_until_s; /* when what they signed has expired */
    struct rotation_leaf leaves[ROTATION_LEAVES];
    bool published;     /* every place has exactly the bundle of these CAs */
    bool publish_fails; /* it was tried just now, and some place refused */
    int64_t settle_s;   /* another time in place of ROTATION_PUBLISHED_S; 0: that */
};

enum rotation_step {
    ROTATION_WAIT,
    ROTATION_ADOPT,     /* keep the issuer of a leaf among the previous CAs */
    ROTATION_MAKE_NEXT, /* make the next CA and store it */
    ROTATION_PUBLISH,   /* write the bundle to every place where it is not */
    ROTATION_SWITCH,    /* the next CA becomes the current one, that one a previous one */
    ROTATION_DROP_NEXT, /* there is no rotation under way; forget it */
    ROTATION_MAKE_LEAF, /* by the current CA */
    ROTATION_RETIRE,    /* forget the previous CAs */
};

/** The next step, and why. */
struct rotation_next {
    enum rotation_step step;
    enum rotation_who who; /* for ADOPT and MAKE_LEAF */
    int64_t look_s;        /* with WAIT: seconds until the next look; at most ROTATION_LOOK_S */
    bool calm; /* with WAIT: nothing is under way. Whoever is told of every change needs to look
                  only as often as days go by */
    const char *reason; /* for the log; a constant */
};

/** True when it is valid now (with a doubted clock: whenever) and its CA is one that is, or will
 * be, published: it works, and must go on to. */
bool rotation_leaf_works(const struct rotation_seen *seen, enum rotation_who who);

/** What is to be done now. Pure. */
struct rotation_next rotation_next(const struct rotation_seen *seen);

/** Until when a CA must stay in the bundle after its successor took over: the end of the last leaf
 *  in use that it signed; 0 when there is none. */
int64_t rotation_needed_until_s(const struct rotation_seen *seen, enum rotation_issuer issuer);

/** When the certificate that expires first does so, of those in use; 0: there is none. */
int64_t rotation_expiry_s(const struct rotation_seen *seen);
