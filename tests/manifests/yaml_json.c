#include <stdio.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "base/yaml.h"

/*
 * What the tests of the manifests need of the project's own code: each file of the command line as
 * one line of JSON, a list of its documents. What YAML 1.1 (kubectl) would read otherwise is an
 * error here: such a word in a manifest means two things.
 */

static bool read_whole(const char *path, struct text *out)
{
    AUTO(fclose) FILE *file = fopen(path, "re");
    char piece[65536];
    size_t length;

    if (!file)
        return false;
    while ((length = fread(piece, 1, sizeof piece, file)) > 0)
        text_add(out, piece, length);
    return !ferror(file);
}

static json_t *documents_of(const struct yaml *yaml)
{
    json_t *list = json_array();

    for (size_t i = 0; i < yaml->count; i++)
        tree_push_new(list, tree_share(yaml->documents[i].value));
    return list;
}

static bool print_file(const char *path)
{
    AUTO(text) struct text content = {0}, warnings = {0};
    AUTO(yaml) struct yaml yaml = {0};
    struct error err = {.message = "can not be read"};

    if (!read_whole(path, &content) ||
        !yaml_read(&yaml, (struct span){content.data, content.length}, &warnings, &err)) {
        fprintf(stderr, "%s:%s\n", path, err.message);
        return false;
    }
    if (warnings.length) {
        fprintf(stderr, "%s:%s", path, text_get(&warnings));
        return false;
    }

    AUTO(json) json_t *list = documents_of(&yaml);
    AUTO(free) char *line = tree_format(list, NULL);

    puts(line);
    return true;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!print_file(argv[i]))
            return 1;
    return 0;
}
