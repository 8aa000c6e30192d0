#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "agent/restic_command.h"
#include "base/error.h"
#include "base/text.h"

/*
 * How an etcd is reached, from its AppBinding and the Secrets that it names. Pure. Secrets go into
 * variables and memory files, never into arguments.
 */

/** A connection. Release with etcd_connection_done(), which wipes. */
struct etcd_connection {
    char *endpoint; /* "https://etcd.shop.svc:2379" */
    bool tls, insecure;
    struct text ca, certificate, key; /* PEM; empty: none */
    char *user, *password;            /* NULL: none */
};

void etcd_connection_done(struct etcd_connection *connection);

static inline void auto_etcd_connection(struct etcd_connection *connection)
{
    etcd_connection_done(connection);
}

/**
 * Makes it.
 *
 * @param app      {namespace, clientConfig, secretTransforms} as the AppBinding has them.
 * @param secrets  {secret, tls: {key: base64}, from: [{key: base64}]}: its secret, its tlsSecret,
 *                 and those that addKeysFrom names, in their order. What is missing is not there.
 * @return         False with ERROR_INVALID, in words without values.
 *
 * Spec: stash-behaviour 1.9, 8.2, 10.5 item 51; docs/etcd.md.
 */
bool etcd_connection_make(const json_t *app, const json_t *secrets,
                          struct etcd_connection *connection, struct error *err) MUST_CHECK;

/** True for http(s)://host:port and nothing else: what may stand in --endpoints. */
bool etcd_endpoint_is(const char *url, bool tls);

/** The variables of etcdctl: user, password, version of the API. */
void etcd_connection_environment(const struct etcd_connection *connection, struct words *out);

/** Options of etcdctl for a user's parameter `args`: those that change how long it waits. Others
 *  are ERROR_FORBIDDEN. */
bool etcd_args_add(const char *text, struct words *out, struct error *err) MUST_CHECK;
