#pragma once

#include "cli/output.h"
#include "cli/remote.h"

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
