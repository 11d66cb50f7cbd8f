/*
 * Preloaded into Postgres: while the file named by FAULT_FLAG exists, the next fdatasync of a backend
 * that is in PREPARE TRANSACTION fails with EIO, once. The data is in the page cache by then, as on a
 * disk that reports its error late.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int preparing(void)
{
    char title[4096];
    int file = open("/proc/self/cmdline", O_RDONLY);
    ssize_t length = file < 0 ? 0 : read(file, title, sizeof title - 1);
    if (file >= 0) close(file);
    title[length < 0 ? 0 : length] = 0;
    return strstr(title, "PREPARE TRANSACTION") != NULL;
}

int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    const char *flag = getenv("FAULT_FLAG");
    if (flag && access(flag, F_OK) == 0 && preparing() && unlink(flag) == 0) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}
