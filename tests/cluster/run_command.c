/*
 * Runs a command in a container as the controller's library does: KUBECONFIG NAMESPACE POD
 * CONTAINER TIMEOUT_MS OUTPUT_MAX COMMAND... Prints {good, code, ended, sent, cut, exit, output,
 * error}.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/tree.h"
#include "kube/pod_exec.h"

static json_t *run(struct kube_client *client, char **words, const json_t *command)
{
    const struct pod_exec exec = {.space = words[0],
                                  .pod = words[1],
                                  .container = words[2],
                                  .command = command,
                                  .cancel_fd = -1,
                                  .timeout_ms = strtol(words[3], NULL, 10),
                                  .output_max = strtoul(words[4], NULL, 10)};
    AUTO(pod_exec_result) struct pod_exec_result result = {0};
    struct error err = {.message = ""};
    json_t *out = json_object();

    tree_put_bool(out, "good", kube_pod_exec(client, &exec, &result, &err));
    tree_put_int(out, "code", err.code);
    tree_put_text(out, "error", err.message);
    tree_put_bool(out, "sent", result.sent);
    tree_put_bool(out, "ended", result.ended);
    tree_put_bool(out, "cut", result.cut);
    tree_put_int(out, "exit", result.code);
    tree_put_text(out, "output", text_get(&result.output));
    return out;
}

int main(int count, char **words)
{
    AUTO(kube_config) struct kube_config config = {0};
    AUTO(json) json_t *command = json_array();
    struct error err = {.message = ""};
    struct kube_client *client = NULL;

    if (count < 8) {
        fprintf(stderr, "run_command: too few words\n");
        return 2;
    }
    for (int i = 7; i < count; i++)
        tree_push_text(command, words[i]);
    if (kube_config_read(words[1], NULL, &config, &err))
        client = kube_client_start(&config, NULL, &err);
    if (!client) {
        fprintf(stderr, "run_command: %s\n", err.message);
        return 2;
    }

    AUTO(json) json_t *out = run(client, words + 2, command);

    kube_client_stop(client);
    return json_dumpf(out, stdout, 0) ? 2 : 0;
}
