/*
 * Makes one write to a file of a directory a short one, as a system may: half of the bytes are written, and the call says
 * so. SHORT_WRITE_BELOW names the directory (with a slash behind it), SHORT_WRITE_AT the number of the call from 1;
 * a line about it goes to the file SHORT_WRITE_TOLD.
 *
 * strace can't do this: it could only claim a count, and the bytes before it would never be written.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int calls;

static int is_struck(int fd, size_t length, const char *name) {
  const char *below = getenv("SHORT_WRITE_BELOW"), *at = getenv("SHORT_WRITE_AT"), *told = getenv("SHORT_WRITE_TOLD");
  char link[64], path[4096];
  if (below == NULL || at == NULL || told == NULL) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t read = readlink(link, path, sizeof path - 1);
  if (read <= 0) return 0;
  path[read] = 0;
  if (strncmp(path, below, strlen(below)) != 0) return 0;
  if (__atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) != atoi(at) || length < 2) return 0;
  int out = open(told, O_WRONLY | O_CREAT | O_APPEND, 0600);
  dprintf(out, "%s %zu of %zu bytes of %s\n", name, length / 2, length, path);
  close(out);
  return 1;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
  return real(fd, bytes, is_struck(fd, length, "write") ? length / 2 : length);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
  return real(fd, bytes, is_struck(fd, length, "pwrite64") ? length / 2 : length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
  return real(fd, bytes, is_struck(fd, length, "pwrite") ? length / 2 : length, offset);
}

ssize_t writev(int fd, const struct iovec *from, int count) {
  ssize_t (*real)(int, const struct iovec *, int) = dlsym(RTLD_NEXT, "writev");
  size_t length = 0;
  for (int i = 0; i < count; i++) length += from[i].iov_len;
  if (!is_struck(fd, length, "writev")) return real(fd, from, count);
  struct iovec some[count];
  size_t left = length / 2;
  for (int i = 0; i < count; i++) {
    some[i].iov_base = from[i].iov_base;
    some[i].iov_len = from[i].iov_len < left ? from[i].iov_len : left;
    left -= some[i].iov_len;
  }
  return real(fd, some, count);
}
