/*
 * log.h
 *
 * The log of the load driver, and the clock that its times are of.
 */
#ifndef FCFS_LOG_H
#define FCFS_LOG_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* The longest line. */
#define LINE 2000

extern int64_t read_clock(clockid_t clock);
extern int64_t now(void);
extern void pause_for(int microseconds);
extern void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

extern void put(char *line, size_t *length, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
extern void put_string(char *line, size_t *length, const char *string);
extern void log_open(const char *path);
extern void log_line(char *line, size_t length);

#endif /* FCFS_LOG_H */
