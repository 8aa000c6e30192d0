#include "base/build.h"

const char *const build_commit = GRANARY_COMMIT;
