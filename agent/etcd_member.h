#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

/** Characters of a member's name, and of the list of all members. */
#define ETCD_NAME_MAX_CHARS 255u
#define ETCD_CLUSTER_MAX_CHARS 8192u

/**
 * The peer URLs of one member, by its name, of a list as etcd's --initial-cluster has it:
 * "a=http://1:2380,b=http://2:2380,b=http://3:2380"; those of b: "http://2:2380,http://3:2380".
 *
 * @param urls  Appended to.
 * @return      False with ERROR_INVALID: the list is none, or has nobody of that name. Pure.
 */
bool etcd_peer_urls(const char *initial_cluster, const char *name, struct text *urls,
                    struct error *err) MUST_CHECK;
