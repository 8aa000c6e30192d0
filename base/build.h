#pragma once

/** The commit that this build was made from, "unknown" outside of a repository. In an object of its
 *  own, so that a commit rebuilds nothing else. (The version is GRANARY_VERSION.) */
extern const char *const build_commit;
