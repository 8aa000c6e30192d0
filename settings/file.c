#include "settings/file.h"

#include "base/auto.h"
#include "base/text.h"
#include "base/yaml.h"
#include "kube/catalog_files.h"

bool settings_read_text(struct settings *settings, struct span text, struct error *err)
{
    AUTO(yaml) struct yaml yaml = {0};

    if (!yaml_read(&yaml, text, NULL, err))
        return false;
    if (yaml.count > 1)
        return error_set(err, ERROR_INVALID, "%u:%u: expected one document",
                         yaml.documents[1].place.line, yaml.documents[1].place.column);
    return settings_parse(settings, yaml.count ? yaml.documents[0].value : NULL, err);
}

bool settings_read(struct settings *settings, const char *path, struct error *err)
{
    AUTO(text) struct text text = {0};

    if (!catalog_load(path, &text, err))
        return false;
    return settings_read_text(settings, (struct span){text_get(&text), text.length}, err) ||
           error_wrap(err, "%s", catalog_shown(path));
}
