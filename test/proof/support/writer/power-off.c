/*
 * Shuts a file system down as a power loss would: `power-off DIRECTORY`. From then on nothing reaches its disk, not even
 * the journal (EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH, the same number as XFS_IOC_GOINGDOWN).
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

int main(int count, char **args) {
  uint32_t without_journal = 2;
  int directory = open(args[count - 1], O_RDONLY);
  if (directory < 0 || ioctl(directory, _IOR('X', 125, uint32_t), &without_journal) != 0) {
    perror(args[count - 1]);
    return 1;
  }
  return 0;
}
