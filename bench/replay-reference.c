/*
 * The limit to be measured against: one thread scans a script as bytes, interns the keys, keeps the last
 * writer per key and replica in columns, and merges; with a directory as second argument it also writes a
 * text oplog per replica (SETs, GETs with what they got, merged rows), which a second thread checksums and
 * puts on disk (fdatasync) 8 MiB at a time.
 *
 *   cc -O3 -march=native -pthread replay-reference.c -o replay-reference
 *   ./replay-reference SCRIPT [OPLOG-DIRECTORY]
 *
 * It knows three replicas and the spelling that script.mjs writes, checks nothing and recovers
 * nothing: a bound, not a product.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { REPLICAS = 3, SLOTS = 1 << 22, KEYS = 1 << 21, BATCH = 32, BUFFER = 8 << 20 };
static const char *const NAMES[REPLICAS] = {"HIVE", "POSTGRESQL", "MONGODB"};

/* ---- keys: open addressing over bytes ---- */
static int32_t *slots;
static uint32_t *key_hash, *key_offset, key_bytes_used, key_count;
static uint8_t *key_length;
static char *key_bytes;

static uint32_t intern(const char *s, uint32_t length, uint32_t hash) {
  for (uint32_t slot = hash & (SLOTS - 1);; slot = (slot + 1) & (SLOTS - 1)) {
    int32_t id = slots[slot];
    if (id < 0) {
      key_hash[key_count] = hash;
      key_offset[key_count] = key_bytes_used;
      key_length[key_count] = (uint8_t)length;
      memcpy(key_bytes + key_bytes_used, s, length);
      key_bytes_used += length;
      slots[slot] = (int32_t)key_count;
      return key_count++;
    }
    if (key_hash[id] == hash && key_length[id] == length && !memcmp(key_bytes + key_offset[id], s, length))
      return (uint32_t)id;
  }
}

/* ---- registers: parallel columns per replica; a value is an offset into the mapped script ---- */
static int64_t *stamp_of[REPLICAS];
static uint32_t *value_of[REPLICAS];
static uint8_t *value_length[REPLICAS];
static const char *script;

/* ---- oplogs: two buffers per replica, one filled while the other is written ---- */
typedef struct {
  char *buffer[2];
  uint32_t used[2], crc;
  int filling, fd, pending, stopping;
  long bytes, syncs;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  pthread_t thread;
} Oplog;
static Oplog oplogs[REPLICAS];
static int logging;
static uint32_t crc_table[8][256];

static void crc_init(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    crc_table[0][i] = c;
  }
  for (int t = 1; t < 8; t++)
    for (int i = 0; i < 256; i++) crc_table[t][i] = crc_table[0][crc_table[t - 1][i] & 255] ^ (crc_table[t - 1][i] >> 8);
}

static uint32_t crc32_update(uint32_t crc, const char *p, uint32_t n) {
  crc = ~crc;
  for (; n >= 8; n -= 8, p += 8) {
    uint32_t a, b;
    memcpy(&a, p, 4);
    memcpy(&b, p + 4, 4);
    a ^= crc;
    crc = crc_table[7][a & 255] ^ crc_table[6][a >> 8 & 255] ^ crc_table[5][a >> 16 & 255] ^ crc_table[4][a >> 24] ^
          crc_table[3][b & 255] ^ crc_table[2][b >> 8 & 255] ^ crc_table[1][b >> 16 & 255] ^ crc_table[0][b >> 24];
  }
  for (; n; n--, p++) crc = crc_table[0][(crc ^ (uint8_t)*p) & 255] ^ (crc >> 8);
  return ~crc;
}

static void *write_oplog(void *argument) {
  Oplog *log = argument;
  pthread_mutex_lock(&log->lock);
  for (;;) {
    while (!log->pending && !log->stopping) pthread_cond_wait(&log->changed, &log->lock);
    if (!log->pending) break;
    int full = log->filling ^ 1;
    pthread_mutex_unlock(&log->lock);
    log->crc = crc32_update(log->crc, log->buffer[full], log->used[full]);
    uint32_t total = log->used[full];
    total += (uint32_t)sprintf(log->buffer[full] + total, "# seal %u %08x\n", log->used[full], log->crc);
    for (uint32_t done = 0; done < total;) {
      ssize_t n = write(log->fd, log->buffer[full] + done, total - done);
      if (n <= 0) exit(9);
      done += (uint32_t)n;
    }
    if (fdatasync(log->fd)) exit(9);
    log->bytes += total;
    log->syncs++;
    pthread_mutex_lock(&log->lock);
    log->pending = 0;
    pthread_cond_broadcast(&log->changed);
  }
  pthread_mutex_unlock(&log->lock);
  return NULL;
}

static void wait_written(Oplog *log) {
  while (log->pending) pthread_cond_wait(&log->changed, &log->lock);
}

static void hand_over(Oplog *log) {
  pthread_mutex_lock(&log->lock);
  wait_written(log);
  log->filling ^= 1;
  log->used[log->filling] = 0;
  log->pending = 1;
  pthread_cond_broadcast(&log->changed);
  pthread_mutex_unlock(&log->lock);
}

static char *put_stamp(char *out, int64_t stamp) {
  static int64_t shown_second = -1;
  static char second_text[21];
  int64_t second = stamp / 1000000000;
  uint32_t nanos = (uint32_t)(stamp % 1000000000);
  if (second != shown_second) {
    time_t t = second;
    struct tm utc;
    strftime(second_text, sizeof second_text, "%Y-%m-%d %H:%M:%S.", gmtime_r(&t, &utc));
    shown_second = second;
  }
  memcpy(out, second_text, 20);
  for (int i = 28; i >= 20; i--, nanos /= 10) out[i] = (char)('0' + nanos % 10);
  out[29] = 'Z';
  return out + 30;
}

static void log_line(int replica, int64_t stamp, int is_set, const char *key, uint32_t key_n, const char *value,
                     uint32_t value_n) {
  Oplog *log = &oplogs[replica];
  if (log->used[log->filling] + 256 + key_n + value_n > BUFFER - 64) hand_over(log);
  char *start = log->buffer[log->filling] + log->used[log->filling], *out = put_stamp(start, stamp);
  size_t name_n = strlen(NAMES[replica]);
  memcpy(out, ", ", 2), out += 2;
  memcpy(out, NAMES[replica], name_n), out += name_n;
  memcpy(out, is_set ? ".SET((" : ".GET((", 6), out += 6;
  memcpy(out, key, key_n), out += key_n;
  memcpy(out, is_set ? "), \0" : ")) = ", 5), out += is_set ? 3 : 5;
  memcpy(out, value, value_n), out += value_n;
  if (is_set) *out++ = ')';
  *out++ = '\n';
  log->used[log->filling] += (uint32_t)(out - start);
}

/* ---- the replay: operations are gathered so that the probes of a batch overlap in the memory system ---- */
typedef struct {
  const char *key, *value;
  uint32_t key_n, value_n, hash;
  uint8_t replica, is_set;
} Operation;
static Operation batch[BATCH];
static int batched;
static int64_t now;
static long gets, found, merged;

static void drain(void) {
  for (int i = 0; i < batched; i++) {
    Operation *op = &batch[i];
    uint32_t key = intern(op->key, op->key_n, op->hash);
    int r = op->replica;
    if (!op->is_set) {
      int hit = stamp_of[r][key] != 0;
      gets++;
      found += hit;
      if (logging)
        log_line(r, ++now, 0, op->key, op->key_n, hit ? script + value_of[r][key] : "none", hit ? value_length[r][key] : 4);
      continue;
    }
    stamp_of[r][key] = ++now;
    value_of[r][key] = (uint32_t)(op->value - script);
    value_length[r][key] = (uint8_t)op->value_n;
    if (logging) log_line(r, now, 1, op->key, op->key_n, op->value, op->value_n);
  }
  batched = 0;
}

static void merge(int into, int from) {
  for (uint32_t key = 0; key < key_count; key++) {
    if (stamp_of[from][key] <= stamp_of[into][key]) continue;
    stamp_of[into][key] = stamp_of[from][key];
    value_of[into][key] = value_of[from][key];
    value_length[into][key] = value_length[from][key];
    merged++;
    if (logging)
      log_line(into, stamp_of[into][key], 1, key_bytes + key_offset[key], key_length[key], script + value_of[into][key],
               value_length[into][key]);
  }
}

static int replica_named(char first) { return first == 'H' ? 0 : first == 'P' ? 1 : 2; }

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "usage: %s SCRIPT [OPLOG-DIRECTORY]\n", argv[0]), 2;
  int fd = open(argv[1], O_RDONLY);
  struct stat info;
  if (fd < 0 || fstat(fd, &info)) return perror(argv[1]), 2;
  script = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  const char *p = script, *end = script + info.st_size;

  logging = argc > 2;
  crc_init();
  for (int r = 0; logging && r < REPLICAS; r++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/oplogs.%s", argv[2], NAMES[r]);
    Oplog *log = &oplogs[r];
    if ((log->fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644)) < 0) return perror(path), 2;
    log->buffer[0] = malloc(BUFFER), log->buffer[1] = malloc(BUFFER);
    pthread_mutex_init(&log->lock, NULL), pthread_cond_init(&log->changed, NULL);
    pthread_create(&log->thread, NULL, write_oplog, log);
  }

  struct timespec t0, t1;
  clock_gettime(CLOCK_REALTIME, &t0);
  now = t0.tv_sec * 1000000000LL + t0.tv_nsec;
  clock_gettime(CLOCK_MONOTONIC, &t0);
  slots = malloc(SLOTS * sizeof *slots);
  memset(slots, 0xff, SLOTS * sizeof *slots);
  key_hash = malloc(KEYS * 4), key_offset = malloc(KEYS * 4), key_length = malloc(KEYS), key_bytes = malloc(KEYS * 64);
  for (int r = 0; r < REPLICAS; r++)
    stamp_of[r] = calloc(KEYS, 8), value_of[r] = calloc(KEYS, 4), value_length[r] = calloc(KEYS, 1);

  long lines = 0;
  while (p < end) {
    lines++;
    while (*p >= '0' && *p <= '9') p++;
    if (*p == ',')
      do p++;
      while (*p == ' ');
    if (*p == 'F') { /* FULL_SYNC */
      drain();
      for (int r = 1; r < REPLICAS; r++) merge(0, r);
      for (int r = 1; r < REPLICAS; r++) merge(r, 0);
    } else {
      Operation *op = &batch[batched];
      op->replica = (uint8_t)replica_named(*p);
      while (*p != '.') p++;
      char kind = *++p;
      if (kind == 'M') {
        drain();
        merge(op->replica, replica_named(p[6]));
      } else {
        p += kind == 'S' ? 5 : 4; /* SET(( or GET( */
        op->key = p;
        uint32_t hash = 2166136261u;
        for (; *p != ')'; p++) hash = (hash ^ (uint8_t)*p) * 16777619u;
        op->key_n = (uint32_t)(p - op->key);
        op->hash = hash ^ hash >> 15;
        if ((op->is_set = kind == 'S')) {
          for (p += 2; *p == ' '; p++) {}
          op->value = p;
          while (*p != ')') p++;
          op->value_n = (uint32_t)(p - op->value);
        }
        __builtin_prefetch(&slots[op->hash & (SLOTS - 1)]);
        if (++batched == BATCH) drain();
      }
    }
    while (p < end && *p != '\n') p++;
    p++;
  }
  drain();
  long bytes = 0, syncs = 0;
  for (int r = 0; logging && r < REPLICAS; r++) {
    Oplog *log = &oplogs[r];
    hand_over(log);
    pthread_mutex_lock(&log->lock);
    wait_written(log);
    log->stopping = 1;
    pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->lock);
    pthread_join(log->thread, NULL);
    bytes += log->bytes, syncs += log->syncs;
  }
  clock_gettime(CLOCK_MONOTONIC, &t1);
  double seconds = (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9;
  printf("%ld lines, %u keys, %ld gets (%ld found), %ld rows merged, oplogs %.0f MB in %ld syncs: %.2f s, %.2f M lines/s\n",
         lines, key_count, gets, found, merged, (double)bytes / 1e6, syncs, seconds, (double)lines / seconds / 1e6);
}
