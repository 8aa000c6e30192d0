/*
 * Bytes as an RDB, in pieces as one of them says, and whole: both see the same entries, then the
 * same failure or none. What is told is a value that has its type, and a key that is not larger
 * than what can have been meant.
 */
#include "agent/rdb.h"
#include "base/auto.h"
#include "tests/fuzz/fuzz.h"

static bool add_entry(void *context, const struct rdb_entry *entry, struct error *err)
{
    struct text *told = context;

    (void)err;
    FUZZ_MUST(entry->value.length >= 1 && entry->database < RDB_DATABASES_MAX);
    FUZZ_MUST((unsigned char)entry->value.data[0] == 245 || entry->kind == RDB_KEY);
    FUZZ_MUST(entry->expires_ms >= -1 && entry->idle_s >= -1 && entry->freq >= -1);
    FUZZ_MUST(entry->freq <= 255);
    text_addf(told, "%u %zu %zu %lld\n", entry->database, entry->key.length, entry->value.length,
              (long long)entry->expires_ms);
    text_add(told, entry->key.data, entry->key.length);
    text_add(told, entry->value.data, entry->value.length);
    return true;
}

static void read_all(const uint8_t *data, size_t size, size_t step, struct text *told)
{
    AUTO(rdb) struct rdb rdb;
    struct error err = {0};
    bool good = true;

    rdb_init(&rdb, add_entry, told);
    for (size_t at = 0; at < size && good; at += step) {
        struct span piece = {(const char *)data + at, size - at < step ? size - at : step};

        good = rdb_add(&rdb, piece, &err);
    }
    FUZZ_MUST(rdb.bytes <= (int64_t)size);
    if (!rdb_end(&rdb, &err))
        FUZZ_MUST(err.code != ERROR_NONE && err.message[0]);
    text_addf(told, "%s %lld", err.message, (long long)rdb.keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(text) struct text pieces = {0}, whole = {0};

    if (size == 0)
        return 0;
    read_all(data, size, data[size / 2] % 37 + 1u, &pieces);
    read_all(data, size, size, &whole);
    FUZZ_MUST(pieces.length == whole.length);
    FUZZ_MUST(memcmp(pieces.data, whole.data, whole.length) == 0);
    return 0;
}
