/*
 * Bytes as a schedule: what is accepted comes due after each time, at whole minutes, and never
 * closer together than its shortest interval says.
 */
#include "api/cron.h"
#include "tests/fuzz/fuzz.h"

/* Seconds of 2024-02-28 23:59:30, the night before a leap day. */
#define START_S INT64_C(1709164770)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cron cron;
    struct error err = {0};

    if (!cron_parse(&cron, (struct span){(const char *)data, size}, &err)) {
        FUZZ_MUST(err.code == ERROR_INVALID && err.message[0]);
        return 0;
    }

    int64_t shortest = cron_shortest_interval_s(&cron), before = cron_next(&cron, START_S);

    FUZZ_MUST(before > START_S && shortest > 0);
    FUZZ_MUST(cron.every_s ? shortest == cron.every_s : shortest % 60 == 0);
    for (int i = 0; i < 20; i++) {
        int64_t next = cron_next(&cron, before);

        FUZZ_MUST(next - before >= shortest);
        FUZZ_MUST(cron.every_s || next % 60 == 0);
        before = next;
    }
    return 0;
}
