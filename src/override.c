/*
 * override.c
 *
 * Rules that an administrator lets one student pass over for one section.
 *
 * A rule looks here when it is about to refuse, and only then. The enrollment
 * says which overrides it needed, so that the invariants can tell: one that has
 * passed over the capacity takes no seat of its pools, one that has passed over a
 * conflict is not in the exclusion constraint.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "override.h"
#include "pool.h"
#include "table.h"

static const char *const names[OVERRIDE_RULES] = {"capacity", "credits", "conflict", "prerequisite",
												  "window"};

typedef enum PermissionColumn
{
	PERMISSION_STUDENT_ID,
	PERMISSION_SECTION_ID,
	PERMISSION_RULE
} PermissionColumn;

static Table permissions = {.name = "permission_override",
							.columns = {"student_id", "section_id", "rule"},
							.types = {INT8OID, INT8OID, TEXTOID},
							.indexes = {"permission_override_once"}};

/* May the student pass over the rule for the section? */
bool
override_is_permitted(int64 student_id, int64 section_id, OverrideRule rule, Snapshot snapshot)
{
	static const int columns[] = {PERMISSION_STUDENT_ID, PERMISSION_SECTION_ID, PERMISSION_RULE};
	Datum keys[] = {Int64GetDatum(student_id), Int64GetDatum(section_id),
					CStringGetTextDatum(names[rule])};
	TableRead read;
	bool permitted;

	table_read_begin(&read, &permissions, 0, snapshot, lengthof(keys), columns, keys);
	permitted = table_read_next(&read);
	table_read_end(&read);
	return permitted;
}

/* As enrollment.override has them. */
Datum
override_names(uint32 rules)
{
	Datum elements[OVERRIDE_RULES];
	int count = 0;

	for (int rule = 0; rule < OVERRIDE_RULES; rule++)
	{
		if (rules & (1U << rule))
			elements[count++] = CStringGetTextDatum(names[rule]);
	}
	if (count == 0)
		return PointerGetDatum(construct_empty_array(TEXTOID));
	return PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Is the capacity among those of an enrollment? */
bool
override_has_capacity(Datum value)
{
	ArrayType *array = DatumGetArrayTypeP(value);
	ArrayIterator iterator;
	Datum element;
	bool isnull;
	bool has = false;

	if (ARR_NDIM(array) == 0)
		return false;
	iterator = array_create_iterator(array, 0, NULL);
	while (!has && array_iterate(iterator, &element, &isnull))
		has = !isnull && pool_text_is(element, names[OVERRIDE_CAPACITY]);
	array_free_iterator(iterator);
	return has;
}
