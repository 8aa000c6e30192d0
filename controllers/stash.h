#pragma once

#include "controllers/status.h"
#include "kube/verbs.h"

/*
 * Is Stash installed? Two operators with the same kinds and the same container would fight over
 * pods. It is known by its webhook configurations, which its operator and its chart call
 * admission.stash.appscode.com.
 */

#define STASH_CONFIGURATION "admission.stash.appscode.com"

/** What two answers say: NONE for "there is one". Not knowing is no "no". Pure. */
enum status_found stash_judge(enum error_code mutating, enum error_code validating);

/** Looks. @param err  Of STATUS_UNKNOWN. */
enum status_found stash_look(struct kube_client *client, struct error *err);
