#pragma once

#include <stdint.h>

#include "agent/etcd_place_next.h"
#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/** What is known of one restore; written beside what it moved. */
struct etcd_journal {
    enum etcd_phase phase;
    char id[65];       /* of what was asked: a SHA-256 over snapshot and parameters */
    int64_t began_ms;  /* since 1970 */
    int64_t stamp_ns;  /* when what was made was written; 0: not yet made */
    int64_t revision;  /* of the snapshot */
    char snapshot[65]; /* its SHA-256 */
    char member[256];  /* its name */
    char session[65];  /* who asked for it; "": a person, by hand */
};

/* Bytes of one. */
#define ETCD_JOURNAL_MAX_BYTES 4096u

/** Writes it as JSON. Pure. */
void etcd_journal_format(const struct etcd_journal *journal, struct text *out);

/** @return False with ERROR_INVALID: it is none, and nothing may be moved. Pure. */
bool etcd_journal_parse(struct span text, struct etcd_journal *journal,
                        struct error *err) MUST_CHECK;
