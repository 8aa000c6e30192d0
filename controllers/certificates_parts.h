#pragma once

#include "base/limits.h"
#include "base/span.h"
#include "base/text.h"
#include "certs/inspect.h"
#include "controllers/certificates.h"

/* What the files about certificates share; for them alone. */

#define KEY_CERT "tls.crt"
#define KEY_KEY "tls.key"
#define KEY_BUNDLE "ca.crt"
#define KEY_ADDRESSES "addresses"

/* What was seen, read. */
struct certificates_view {
    const struct certificates_seen *seen;
    struct ring ring;
    struct text bundle;            /* what has to be everywhere; empty: not known */
    struct certs_pem leaf, issuer; /* the issuer is set when it is one that we do not keep */
    struct certs_about leaf_about;
    struct text addresses; /* of the agent API, one a line; empty: not known */
    struct rotation_seen rotation;
};

static inline void auto_certificates_view(struct certificates_view *view)
{
    ring_done(&view->ring);
    text_done(&view->bundle);
    text_done(&view->addresses);
    certs_pem_done(&view->leaf);
    certs_pem_done(&view->issuer);
}

/* What a place says, one text for each entry of it. */
struct certificates_said {
    const json_t *entries; /* of a configuration; NULL: the place is one text */
    size_t next;
    size_t entry; /* which one `text` is of */
    struct text text;
};

static inline void auto_certificates_said(struct certificates_said *said)
{
    text_done(&said->text);
}

static inline struct span certificates_span(const struct text *text)
{
    return (struct span){text->data, text->length};
}

/** Reads all that decisions are made from. */
void certificates_look(struct certificates_view *view, struct certificates_memory *memory);

/* ---- places: where clients read whom to trust ---- */

bool certificates_is_there(const struct certificates_view *view, enum certificates_object object);

/** The object, or NULL. Borrowed. */
const json_t *certificates_found(const struct certificates_view *view,
                                 enum certificates_object object);

bool certificates_is_configuration(enum certificates_object object);

/** Where something is to be published: what is not installed is no place. */
bool certificates_is_place(const struct certificates_view *view, enum certificates_object object);

/** The next text of a place. False: that was all. */
bool certificates_said_next(const struct certificates_view *view, enum certificates_object object,
                            struct certificates_said *said);

/** Each of its texts is the bundle. */
bool certificates_has_exactly(const struct certificates_view *view,
                              enum certificates_object object);

/** Clients in every place trust it. */
bool certificates_is_everywhere(const struct certificates_view *view, struct span cert);

/** The API server trusts it, for all that it asks us. */
bool certificates_is_trusted_by_server(const struct certificates_view *view, struct span cert);

bool certificates_all_published(const struct certificates_view *view);
bool certificates_any_unknown(const struct certificates_view *view);

/* ---- names ---- */

/* "granary-webhook.<namespace>.svc" is the name that an API server looks for. */
struct certificates_names {
    char text[2][sizeof CERTIFICATES_SERVICE + NAME_MAX_CHARS + 32];
    const char *list[3];
};

void certificates_name_webhook(const struct certificates_seen *seen,
                               struct certificates_names *names);

/** The cluster IP of the agents' Service; "" without one. */
void certificates_find_address(const struct certificates_view *view,
                               char address[CERTIFICATES_ADDRESS_BYTES]);

/* ---- writes ---- */

/** All of a Secret's data, or a ConfigMap's. */
void certificates_write_data_new(const struct certificates_view *view,
                                 struct certificates_plan *plan, enum certificates_object object,
                                 json_t *data_new);

/** The bundle, into all places that say something else. */
void certificates_publish(const struct certificates_view *view, struct certificates_plan *plan);
