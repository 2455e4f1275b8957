/* Makes writes below a folder fail, or kills the process there: preloaded by inject_faults.py.
   Counted are write, fsync, rename and mkdir of paths below the folder; from the chosen one on all of them fail. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static char folder[4096];
static long count, first = -1;
static int fault;

/* Count below a folder; from call `at` on (never if negative) fail with an errno, or with a negative one be killed. */
void arm(const char *below, long at, int with) {
    snprintf(folder, sizeof folder, "%s", below);
    count = 0, first = at, fault = with;
}

long counted(void) { return count; }

static int fails(const char *path) {
    if (!folder[0] || strncmp(path, folder, strlen(folder))) return 0;
    count++;
    if (first < 0 || count < first) return 0;
    if (fault < 0) {
        kill(getpid(), -fault);
        pause();
    }
    errno = fault;
    return 1;
}

static int fails_at(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void *data, size_t size) { return fails_at(file) ? -1 : REAL(write)(file, data, size); }
int fsync(int file) { return fails_at(file) ? -1 : REAL(fsync)(file); }
int rename(const char *from, const char *to) { return fails(to) ? -1 : REAL(rename)(from, to); }
int mkdir(const char *path, mode_t mode) { return fails(path) ? -1 : REAL(mkdir)(path, mode); }
