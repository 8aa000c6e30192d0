#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/span.h"
#include "kube/client.h"

/* Asking the API server who somebody is, and what somebody may do. */

/** Who showed a token. All owned; {0} before; release with kube_identity_done(). */
struct kube_identity {
    json_t *user;               /* username, uid, groups, extra: as kube_may() takes it */
    char *space, *account;      /* of a ServiceAccount; else NULL */
    char *pod, *pod_uid, *node; /* that the token is bound to; else NULL */
};

void kube_identity_done(struct kube_identity *identity);

static inline void auto_kube_identity(struct kube_identity *identity)
{
    kube_identity_done(identity);
}

/**
 * Asks who showed a token. The server remembers a good one for some 10 s, and that of a pod that is
 * ending is good until it has ended: whether the pod lives is another question.
 *
 * @param token     As it was shown, anything. Never in a message.
 * @param audience  That it must be for.
 * @return          False: ERROR_UNAUTHORIZED when it is none, or for somebody else; other codes
 * when that could not be asked.
 *
 * Spec: authentication.k8s.io/v1 TokenReview.
 */
bool kube_token_review(struct kube_client *client, struct span token, const char *audience,
                       struct kube_identity *identity, struct error *err) MUST_CHECK;

/** The same of an answer. Pure. */
bool token_review_read(const json_t *review, const char *audience, struct kube_identity *identity,
                       struct error *err) MUST_CHECK;

/** What somebody wants to do. NULL stands for what is not said; a cluster's object has no space. */
struct kube_wish {
    const char *verb, *group, *version, *resource, *sub, *space, *name;
};

/**
 * Asks whether a user may do something.
 *
 * @param user  userInfo of an admission review, or kube_identity.user: username, uid, groups,
 * extra.
 * @return      False: ERROR_FORBIDDEN when not; other codes when that could not be asked, which is
 * no permission either.
 *
 * Spec: authorization.k8s.io/v1 SubjectAccessReview.
 */
bool kube_may(struct kube_client *client, const json_t *user, const struct kube_wish *wish,
              struct error *err) MUST_CHECK;
