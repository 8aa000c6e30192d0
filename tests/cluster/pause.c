/* The process that holds a pod's namespaces: reaps what is orphaned there, leaves on SIGTERM. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

int main(void)
{
    sigset_t wanted;

    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &wanted, NULL) != 0)
        return EXIT_FAILURE;
    for (;;) {
        int got = 0;

        if (sigwait(&wanted, &got) != 0)
            return EXIT_FAILURE;
        if (got != SIGCHLD)
            return EXIT_SUCCESS;
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}
