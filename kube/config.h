#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/** A certificate or key: in a file that is read anew when it is needed, or in memory. */
struct kube_pem {
    char *file; /* owned; NULL when the bytes stand in `data` */
    char *data; /* owned, NUL at the end; never written to a disk */
    size_t length;
};

/** Whether a credential plugin may ask a person on the terminal. */
enum kube_exec_interactive { KUBE_EXEC_IF_AVAILABLE, KUBE_EXEC_NEVER, KUBE_EXEC_ALWAYS };

/** A program that prints a credential (`users[].user.exec`). Spec: client.authentication.k8s.io/v1.
 */
struct kube_exec {
    char *command;     /* NULL: none */
    char **arguments;  /* the command first; ends with NULL */
    char **variables;  /* "NAME=value", ends with NULL */
    char *version;     /* apiVersion of what it reads and prints: v1 or v1beta1 */
    char *hint;        /* installHint; NULL */
    bool cluster_info; /* it is told which cluster it is asked for */
    json_t *extension; /* of the cluster, for the plugin; NULL */
    enum kube_exec_interactive interactive;
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

/** The same with another folder than the one that the kubelet mounts. */
bool kube_config_in_pod(const char *folder, struct kube_config *config,
                        struct error *err) MUST_CHECK;

void kube_config_done(struct kube_config *config);

static inline void auto_kube_config(struct kube_config *config)
{
    kube_config_done(config);
}

/** Copies all of it, into {0}. */
void kube_config_copy(const struct kube_config *config, struct kube_config *copy);

/** The parts of a server's URL; all owned. */
struct kube_address {
    char *host;   /* of IPv6 in brackets */
    char *port;   /* also when it is the default */
    char *prefix; /* "" or "/path" */
};

/** Takes the URL of a server apart that was checked. */
struct kube_address kube_address(const char *server);

void kube_address_done(struct kube_address *address);

/** What a server's URL must be: https, or http to the loopback interface; no user, query, fragment
 *  or closing slash. */
bool kube_server_check(const char *server, struct error *err) MUST_CHECK;
