// A layer under a server (LD_PRELOAD) that notes what the disk was really told to keep, and can make that slow.
//
// Before and after each fsync and fdatasync that succeeds it appends "begin" or "end", the inode, and the size that the file
// had before, to the file SYNC_LOG. While the file SYNC_SLOW exists, each takes as many seconds longer as it says. What is
// beyond the last noted size of a file may be gone after a loss of power.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void note(const char *what, const struct stat *s) {
	char line[128];
	int n = snprintf(line, sizeof line, "%s %llu %lld\n", what, (unsigned long long)s->st_ino, (long long)s->st_size);
	int fd = open(getenv("SYNC_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, n) != n) abort();
	close(fd);
}

static void take_time(void) {
	unsigned seconds = 0;
	FILE *f = fopen(getenv("SYNC_SLOW"), "re");
	if (f == NULL) return;
	if (fscanf(f, "%u", &seconds) == 1) sleep(seconds);
	fclose(f);
}

static int synced(int fd, const char *name) {
	int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
	struct stat s;
	if (fstat(fd, &s) != 0) return next(fd);
	note("begin", &s);
	take_time();
	int result = next(fd);
	if (result == 0) note("end", &s);
	return result;
}

int fsync(int fd) { return synced(fd, "fsync"); }
int fdatasync(int fd) { return synced(fd, "fdatasync"); }
