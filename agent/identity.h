#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/*
 * What the projected volume of a pod holds: a token of the pod, and of the ConfigMap the CA and
 * the addresses of the agent API. The ConfigMap may be absent, and come or change at any time.
 */

/* File names; the ConfigMap's are its keys. */
#define IDENTITY_TOKEN "token"
#define IDENTITY_CA "ca.crt"
#define IDENTITY_ADDRESSES "addresses"

/* A DNS name and a cluster IP, of two families, with room; host and port of one. */
#define IDENTITY_ADDRESSES_MAX 8u
#define IDENTITY_ADDRESS_MAX_BYTES 270u

/** Where the agent API is: "name:port", "10.0.0.1:port" or "[fd00::1]:port". */
struct identity_addresses {
    char list[IDENTITY_ADDRESSES_MAX][IDENTITY_ADDRESS_MAX_BYTES];
    size_t count;
};

/**
 * Reads the addresses: one a line, blank lines are nothing. Pure.
 *
 * @param addresses  Filled on success.
 * @return           False with ERROR_INVALID: none, too many, or one that is none.
 */
bool identity_addresses_parse(struct span text, struct identity_addresses *addresses,
                              struct error *err) MUST_CHECK;

/** How many certificates a PEM text has from begin to end; 0 also for half of one. Pure. */
size_t identity_certificates(struct span pem);

/** What was found. */
enum identity_state {
    IDENTITY_ABSENT, /* a file is not there (yet) */
    IDENTITY_BAD,    /* one is there and can not be used */
    IDENTITY_GOOD,
};

/**
 * Looks at the folder.
 *
 * @param addresses  Filled with IDENTITY_GOOD.
 * @param err        What is absent or bad, otherwise; never a file's content.
 */
enum identity_state identity_look(const char *folder, struct identity_addresses *addresses,
                                  struct error *err);

/** The same, and hands over what was read: appended with IDENTITY_GOOD. The token is secret. */
enum identity_state identity_read(const char *folder, struct identity_addresses *addresses,
                                  struct text *ca, struct text *token, struct error *err);
