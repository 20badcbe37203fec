/*
 * pools.h
 *
 * The pools and the people of the load.
 */
#ifndef FCFS_POOLS_H
#define FCFS_POOLS_H

#define PEOPLE 24
#define FIRST_PERSON 9001
#define FIRST_POOL 101

typedef enum PoolKind
{
	SECTION,
	ITEM,
	COUPON,
	POOL_KINDS
} PoolKind;

extern const char *const pools_setup_people;
extern const char *const pools_capacities;

extern int pools_of(PoolKind kind);
extern int pools_capacity(PoolKind kind, int pool);
extern const char *pools_name(PoolKind kind);
extern const char *pools_setup(PoolKind kind);

#endif /* FCFS_POOLS_H */
