#include "base/signals.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>

int signals_catch(const int *signals)
{
    sigset_t set;

    sigemptyset(&set);
    for (const int *one = signals; *one; one++)
        sigaddset(&set, *one);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}
