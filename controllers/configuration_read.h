#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/settings.h"
#include "base/error.h"
#include "controllers/configuration_next.h"
#include "controllers/schedule_kept.h"
#include "controllers/target_said.h"

/*
 * From objects of the API to what configuration_next() and configuration_status() decide by. Pure.
 */

/** What a BackupConfiguration is read from. All borrowed; NULL: there is none. */
struct configuration_facts {
    const json_t *configuration;
    const json_t *repository;
    const json_t *space;     /* Namespace that the configuration is in, for its labels */
    const json_t *blueprint; /* that it follows from */
    const json_t *target;    /* metadata are enough */
    const json_t *pods;      /* list of the target's; metadata are enough */
    const json_t *cronjob;   /* whatever has its name */
    enum seen secret;
    const char *secret_message;
    const char *refused; /* why its CronJob could not be written the last time */
    const char *settled; /* configuration_settled() of a CronJob that will not get more like ours */
    const struct target_said *said; /* of the target; NULL: nothing is known of it */
    int64_t session_s; /* when its youngest BackupSession was made; -1: there is none */
    int64_t now_s;
    const struct settings *settings;
};

#define CONFIGURATION_TEXTS 8

/* Conditions that decide nothing, by their place. */
enum {
    CONFIGURATION_KEPT,
    CONFIGURATION_BLUEPRINT,
    CONFIGURATION_WIPE_OUT,
    CONFIGURATION_PLAN,
    CONFIGURATION_MORE
};

/** What is read; holds what `seen` borrows, so that it can not be copied. */
struct configuration_reading {
    struct configuration_seen seen;
    struct schedule_kept kept;
    json_t *wanted; /* the CronJob that there should be; NULL: none */
    struct condition more[CONFIGURATION_MORE];
    char *texts[CONFIGURATION_TEXTS];
    size_t text_count;
};

/** @param reading  {0} before; to be released with configuration_reading_done(). */
void configuration_read(const struct configuration_facts *facts,
                        struct configuration_reading *reading);

void configuration_reading_done(struct configuration_reading *reading);

static inline void auto_configuration_reading(struct configuration_reading *reading)
{
    configuration_reading_done(reading);
}

/** Pods of one workload that lack the agent and are named in a condition. */
#define CONFIGURATION_PODS_NAMED 5

/** Secrets of a Repository that sessions need: its storage's, and that for agents. */
#define CONFIGURATION_SECRETS 2

/** The name of one of them; NULL: the Repository names none. Borrowed. */
const char *configuration_secret(const json_t *repository, size_t which);

/** What came of reading one. All borrowed. */
struct secret_look {
    const char *space, *name;
    const json_t *secret;    /* NULL: could not be read */
    const struct error *err; /* why */
    const char *controller;  /* namespace of ours, for the command that gives the right */
};

/**
 * Judges it. It has to hold RESTIC_PASSWORD.
 *
 * @param message  Set to what a condition says, NULL when there is nothing to add; the caller frees
 *                 it. Never with a value of the Secret.
 */
enum seen secret_seen(const struct secret_look *look, char **message);

/** What says that this state of a CronJob is all that becomes of what was wanted, whoever changes
 *  it on its way into the cluster. The caller frees it. */
char *configuration_settled(const json_t *cronjob, const json_t *wanted);
