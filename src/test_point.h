/*
 * test_point.h
 *
 * Named moments in the code at which a test can make a session wait, fail, or
 * be late: what lies between two steps is otherwise over too soon to be met.
 * There are none unless the extension is built with assertions.
 */
#ifndef FCFS_TEST_POINT_H
#define FCFS_TEST_POINT_H

#include "postgres.h"

#include "datatype/timestamp.h"

#ifdef USE_ASSERT_CHECKING
extern void test_point(const char *name);
extern void test_time(const char *name, TimestampTz *time);
#define TEST_POINT(name) test_point(name)
#define TEST_TIME(name, time) test_time(name, time)
#else
#define TEST_POINT(name) ((void) 0)
#define TEST_TIME(name, time) ((void) 0)
#endif

#endif /* FCFS_TEST_POINT_H */
