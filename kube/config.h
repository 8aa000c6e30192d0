#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/** A certificate or key: in a file that is read anew when it is needed, or in memory. */
struct kube_pem {
    char *file; /* owned; NULL when the bytes stand in `data` */
    char *data; /* owned, NUL at the end; never written to a disk */
    size_t length;
};

/** A program that prints a credential (`users[].user.exec`). Spec: client.authentication.k8s.io/v1.
 */
struct kube_exec {
    char *command;    /* NULL: none */
    char **arguments; /* ends with NULL */
    char **variables; /* "NAME=value", ends with NULL */
    char *version;    /* apiVersion of what it reads and prints: v1 or v1beta1 */
    char *hint;       /* installHint; NULL */
    bool cluster_info;
};

/** How to reach one API server, and as whom. All strings are owned; NULL is absent. */
struct kube_config {
    char *server; /* "https://host:port[/prefix]" without slash at the end; http only to loopback */
    char *server_name; /* to be found in its certificate, when it is not the host */
    char *proxy;       /* http, https or socks5 URL */
    char *space;       /* namespace of the context, or of our pod */
    struct kube_pem ca, certificate, key;
    char *token, *token_file; /* a file is read again: it is rotated */
    char *user, *password;
    struct kube_exec exec;
    bool insecure; /* the server's certificate is not verified: said in the file, warned in the log
                    */
};

/**
 * Reads a kubeconfig file.
 *
 * @param path     NULL: what $KUBECONFIG lists (merged as kubectl does), else ~/.kube/config.
 * @param context  NULL: current-context.
 * @param config   {0} before. Release with kube_config_done().
 * @return         False: "file: contexts[2].context.cluster: what". ERROR_NOT_FOUND, ERROR_INVALID.
 */
bool kube_config_read(const char *path, const char *context, struct kube_config *config,
                      struct error *err) MUST_CHECK;

/** What a pod finds (KUBERNETES_SERVICE_HOST, the mounted token and CA). ERROR_NOT_FOUND outside of
 *  one. Catalogue CR1. */
bool kube_config_in_cluster(struct kube_config *config, struct error *err) MUST_CHECK;

void kube_config_done(struct kube_config *config);

static inline void auto_kube_config(struct kube_config *config)
{
    kube_config_done(config);
}
