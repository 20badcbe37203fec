/*
 * log.c
 *
 * The log of the load driver.
 *
 * It has one JSON object a line, each written by one write(), so that it is
 * complete however the driver ends. Times (t) are microseconds of the system's
 * clock, taken before a statement is sent and after its answer is there: what
 * the server did for it, it did between the two.
 *
 *   run       how it was called, and the capacities that it began with
 *   connected c is the connection, pid its backend; direct: no pooler between
 *   call      n counts the statements of a connection; a statement that is sent
 *             again has the same n and a higher attempt
 *   skipped   a call that was planned, and not sent since the block had failed
 *   answer    code OK, a refusal's code, a constraint's name, NONE (no row was
 *             changed), or empty, and the SQLSTATE; or code UNKNOWN: the
 *             connection was lost
 *   gone      that backend is no longer there
 *   waiting   who waits for which of the extension's locks, since when
 *   line      the places in line that there are; not said again as long as nobody is in one
 *   end       the driver came to its end, and by how much the clock was set
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

static const char *log_path;
static int log_file = -1;

/* Time ------------------------------------------------------------------------- */

int64_t
read_clock(clockid_t clock)
{
	struct timespec now;

	(void) clock_gettime(clock, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
now(void)
{
	return read_clock(CLOCK_REALTIME);
}

void
pause_for(int microseconds)
{
	struct timespec time = {microseconds / 1000000, (long) (microseconds % 1000000) * 1000};

	(void) nanosleep(&time, NULL);
}

/* The log ------------------------------------------------------------------------ */

void
die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void) fputs("fcfs-load: ", stderr);
	(void) vfprintf(stderr, format, args);
	(void) fputs("\n", stderr);
	va_end(args);
	exit(2);
}

void
put(char *line, size_t *length, const char *format, ...)
{
	va_list args;
	int added;

	va_start(args, format);
	added = vsnprintf(line + *length, LINE - *length, format, args);
	va_end(args);
	if (added < 0 || *length + (size_t) added >= LINE)
		die("a line of the log is too long");
	*length += (size_t) added;
}

void
put_string(char *line, size_t *length, const char *string)
{
	put(line, length, "\"");
	for (; *string; string++)
	{
		if (*string == '"' || *string == '\\')
			put(line, length, "\\%c", *string);
		else
			put(line, length, "%c", (unsigned char) *string < ' ' ? ' ' : *string);
	}
	put(line, length, "\"");
}

void
log_open(const char *path)
{
	log_path = path;
	log_file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (log_file < 0)
		die("%s: %s", path, strerror(errno));
}

void
log_line(char *line, size_t length)
{
	line[length++] = '\n';
	if (write(log_file, line, length) != (ssize_t) length)
		die("%s: %s", log_path, strerror(errno));
}
