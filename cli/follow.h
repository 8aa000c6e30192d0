#pragma once

#include "cli/output.h"
#include "cli/remote.h"

enum follow_step { FOLLOW_ON, FOLLOW_GOOD, FOLLOW_BAD };

/** What is done with each look at an object. NULL: it can not be looked at any more, nothing is
 *  returned. */
struct follower {
    enum follow_step (*look)(void *context, const json_t *object);
    void *context;
};

/**
 * Looks at an object each second until the follower says that it has ended. An API server that does
 * not answer for a while is waited for.
 *
 * @param uid  Another object of its name is not followed.
 * @return     STATUS_FINE of FOLLOW_GOOD, STATUS_FINDINGS of FOLLOW_BAD or when it is gone,
 *             STATUS_CANNOT when it can not be read.
 */
enum exit_status follow_object(const struct remote *remote, const struct kube_ref *ref,
                               const char *uid, const struct follower *follower,
                               const struct output *output);

/**
 * Follows a session until it has ended: phases as lines, on a terminal with a bar for its progress.
 * An API server that does not answer for a while is waited for.
 *
 * @param uid  Of the session; another one of its name is not followed.
 * @return     STATUS_FINE when it succeeded, STATUS_FINDINGS when it failed, was skipped or is
 * gone, STATUS_CANNOT when it can not be read.
 */
enum exit_status follow_session(const struct remote *remote, const struct kube_ref *session,
                                const char *uid, const struct output *output);
