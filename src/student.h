/*
 * student.h
 *
 * A student as the rules of enrolment see them.
 */
#ifndef FCFS_STUDENT_H
#define FCFS_STUDENT_H

#include "postgres.h"

#include "utils/snapshot.h"

typedef struct Student
{
	int64 id;
	bool has_limit;
	Datum max_credits; /* numeric, if there is a limit of their own */
} Student;

extern bool student_find(Student *student, int64 id, Snapshot snapshot);
extern bool student_has_points(const Student *student, int64 course_id, Datum points,
							   Snapshot snapshot);

#endif /* FCFS_STUDENT_H */
