#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "kube/config.h"

/** What a credential plugin printed. All owned; {0} is none. */
struct exec_credential {
    char *token;       /* NULL: none */
    char *cert, *key;  /* PEM; both or none */
    int64_t expires_s; /* wall clock; INT64_MAX: not said */
};

void exec_credential_done(struct exec_credential *credential);

/**
 * Reads an ExecCredential as a plugin prints it.
 *
 * @param version  The apiVersion that the configuration names.
 * @param out      Replaced on success.
 * @return         False with ERROR_INVALID; the message holds nothing of the text.
 *
 * Spec: client.authentication.k8s.io/v1 and v1beta1.
 */
bool exec_credential_parse(struct span text, const char *version, struct exec_credential *out,
                           struct error *err) MUST_CHECK;

/**
 * Runs the plugin of a configuration: its arguments as they are, no shell; standard input is the
 * terminal when one is there and the configuration lets the plugin ask, else nothing; what it
 * writes to standard error is seen by whoever started us.
 *
 * @param until_ms   Steady clock; the plugin is killed then, with what it started.
 * @param cancel_fd  Readable: at once.
 * @param out        Replaced on success.
 * @return           False with ERROR_UNAUTHORIZED, and the installHint when it could not be
 * started.
 */
bool exec_credential(const struct kube_config *config, int64_t until_ms, int cancel_fd,
                     struct exec_credential *out, struct error *err) MUST_CHECK;
