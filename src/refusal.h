/*
 * refusal.h
 *
 * Refusals: a rule said no, nothing changed.
 */
#ifndef FCFS_REFUSAL_H
#define FCFS_REFUSAL_H

#include "postgres.h"

typedef enum RefusalCode
{
	REFUSAL_NONE, /* not refused */
#define REFUSAL(code, return_code, http_status, retryable, message, hint) REFUSAL_##code,
#include "refusal_list.h"
#undef REFUSAL
	REFUSAL_COUNT
} RefusalCode;

typedef struct Refusal
{
	const char *code; /* what drivers see as the constraint name */
	int return_code;  /* 2000 success, 4xxx the request, 51xx the database */
	int http_status;
	bool retryable; /* can the same call succeed later? */
	const char *message;
	const char *hint; /* may be NULL */
} Refusal;

/* Facts about a code, REFUSAL_NONE ("OK") included. */
extern const Refusal *refusal_get(RefusalCode code);

/* The code of that name, REFUSAL_COUNT if there is none. */
extern RefusalCode refusal_by_name(const char *name);

/* True for a refusal that says that something does not exist. */
extern bool refusal_is_not_found(RefusalCode code);

/* Raises the refusal as an error; detail may be NULL. */
extern void refusal_raise(RefusalCode code, const char *detail) pg_attribute_noreturn();

#endif /* FCFS_REFUSAL_H */
