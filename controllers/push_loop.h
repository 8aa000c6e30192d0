#pragma once

#include "controllers/loops.h"

/*
 * The loop that pushes Stash's metrics to a Prometheus Pushgateway, when the settings name one: one
 * key for each job, "backupconfiguration-shop-web" as Stash calls it, with what it is about before.
 * What can not be pushed is counted, logged and tried again; nothing else follows from it.
 */
extern const struct loop push_loop;
