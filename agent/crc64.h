#pragma once

#include <stdint.h>

#include "base/span.h"

/*
 * The checksum of an RDB and of what DUMP and RESTORE exchange: CRC-64 by the polynomial of Jones,
 * reflected, from 0. Pure. Source: Redis, src/crc64.c names it.
 */

/** What it takes to go on quickly: 2 KiB, made once by who has many to add. */
struct crc64 {
    uint64_t table[256];
};

void crc64_init(struct crc64 *crc);

/** The checksum of what has `so_far`, with these bytes behind it. */
uint64_t crc64_add(const struct crc64 *crc, uint64_t so_far, struct span piece);
