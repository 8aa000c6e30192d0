#include "controllers/loops_table.h"

#include "controllers/catalog_loop.h"
#include "controllers/configuration_loop.h"
#include "controllers/finalizer_loop.h"
#include "controllers/identity_loop.h"
#include "controllers/maintenance_loop.h"
#include "controllers/metrics_loop.h"
#include "controllers/overview_loop.h"
#include "controllers/progress_loop.h"
#include "controllers/push_loop.h"
#include "controllers/references_loop.h"
#include "controllers/session_loop.h"
#include "controllers/target_loop.h"
#include "controllers/wipe_loop.h"

const struct loop *const loops_table[] = {
    &target_loop,  &configuration_loop, &references_loop, &overview_loop, &identity_loop,
    &session_loop, &maintenance_loop,   &finalizer_loop,  &metrics_loop,  &progress_loop,
    &push_loop,    &catalog_loop,       &wipe_loop,       NULL,
};
