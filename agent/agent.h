#pragma once

#include "agent/child.h"
#include "agent/client.h"
#include "agent/dump.h"
#include "agent/identity.h"
#include "agent/options.h"

/* Hex digits of an instance, with NUL. Spec: docs/agent-api.md. */
#define INSTANCE_BYTES 33

/** What the modes share. All of it belongs to the thread that works, but for `children`. */
struct agent {
    const struct agent_options *options;
    int stop_fd; /* readable: end */
    struct children *children;
    struct agent_client *client; /* NULL: there is nobody to ask (maintain) */
    char instance[INSTANCE_BYTES];
    const struct dump *dump; /* that is uploaded, whatever paths the work names; NULL: none */
    struct identity_addresses known; /* those that were logged last */
    char said[256];                  /* what hindered us last, so that it is logged once */
};

/** Waits for work and does it, until it is told to end. */
enum agent_exit agent_sidecar(struct agent *agent);

/** Ends when the application may start. */
enum agent_exit agent_init(struct agent *agent);

/** Does the one piece of work of its Job, and ends when that is recorded. */
enum agent_exit agent_step(struct agent *agent);

/** The last step of a Task: uploads what those before it left, and ends when that is recorded. */
enum agent_exit agent_update_status(struct agent *agent);

/** Asks for the BackupSession of this pod's slot. */
enum agent_exit agent_trigger(struct agent *agent);

/** Runs restic on a repository as the options say, and writes how that ended. */
enum agent_exit agent_maintain(struct agent *agent);

/** Logs what hinders us, unless it was logged last. */
void agent_say(struct agent *agent, const char *message, const char *reason);
