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
	int group_count;
	int64 *groups; /* NULL until somebody asks */
} Student;

typedef struct StudentGrades
{
	int count;
	Datum best; /* numeric, if there are any */
} StudentGrades;

extern bool student_find(Student *student, int64 id, Snapshot snapshot);
extern StudentGrades student_grades(const Student *student, int64 course_id, Snapshot snapshot);
extern bool student_in_group(Student *student, int64 group_id, Snapshot snapshot);

#endif /* FCFS_STUDENT_H */
