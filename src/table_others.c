/*
 * table_others.c
 *
 * Who else has a say in it when a row of one of the extension's tables is written:
 * triggers, rules, policies and foreign keys that an administrator has added,
 * expressions that call functions whose result nobody knows beforehand, rights that
 * were taken away. Such a row is written by a query (table_writer.c).
 *
 * Looked up once for a writer; all of it but a function that is replaced comes with
 * word that the table, or one of its indexes or constraints, has changed.
 */
#include "postgres.h"

#include "access/amapi.h"
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/dependency.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "table_others.h"

/* May the function do what is not known beforehand? One that is not built in may be
 * replaced; one whose result is not that of its arguments alone may look at the
 * search_path, which is the caller's as long as no query runs, or even run queries. */
bool
others_own(Oid function, void *context pg_attribute_unused())
{
	static const Oid harmless[] = {F_NOW, F_CLOCK_TIMESTAMP, F_NEXTVAL, F_GEN_RANDOM_UUID};

	for (int i = 0; i < (int) lengthof(harmless); i++)
	{
		if (function == harmless[i])
			return false;
	}
	return function >= FirstNormalObjectId || func_volatile(function) != PROVOLATILE_IMMUTABLE;
}

static bool
walk_calls(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, CoerceToDomain) ||
		(IsA(node, SQLValueFunction) && ((SQLValueFunction *) node)->op == SVFOP_CURRENT_SCHEMA))
		return true;
	return check_functions_in_node(node, others_own, context) ||
		   expression_tree_walker(node, walk_calls, context);
}

/* Does an expression call such functions? */
bool
others_are_called(Node *node)
{
	return walk_calls(node, NULL);
}

/* Is it a function in C? */
static bool
is_in_c(Oid function)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool in_c;

	if (!HeapTupleIsValid(tuple))
		return false;
	in_c = ((Form_pg_proc) GETSTRUCT(tuple))->prolang == ClanguageId;
	ReleaseSysCache(tuple);
	return in_c;
}

/* Does an index compare with functions in PL/pgSQL and the like? */
static bool
compares_by_others(Relation index)
{
	int count = IndexRelationGetNumberOfKeyAttributes(index) * index->rd_indam->amsupport;

	for (int i = 0; i < count; i++)
	{
		if (index->rd_support[i] >= FirstNormalObjectId && !is_in_c(index->rd_support[i]))
			return true;
	}
	return false;
}

/* Does the table's text of a CHECK constraint call functions of others? They may
 * be replaced without any word of it to the table. */
static bool
checks_call_others(TupleDesc desc)
{
	for (int i = 0; desc->constr && i < desc->constr->num_check; i++)
	{
		if (others_are_called(stringToNode(desc->constr->check[i].ccbin)))
			return true;
	}
	return false;
}

static bool
indexes_call_others(const ResultRelInfo *result)
{
	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		const IndexInfo *index = result->ri_IndexRelationInfo[i];

		if (others_are_called((Node *) index->ii_Expressions) ||
			others_are_called((Node *) index->ii_Predicate) ||
			compares_by_others(result->ri_IndexRelationDescs[i]))
			return true;
	}
	return false;
}

/* Does a function ensure by itself what a constraint is for? */
static bool
is_ensured_constraint(const Table *table, Oid constraint)
{
	const char *name = get_constraint_name(constraint);

	for (int i = 0; i < TABLE_REFERENCES && table->ensured[i]; i++)
	{
		if (name && strcmp(name, table->ensured[i]) == 0)
			return true;
	}
	return false;
}

static bool
is_of_the_extension(const Trigger *trigger)
{
	return getExtensionOfObject(ProcedureRelationId, trigger->tgfoid) ==
		   get_extension_oid("pg_fcfs", true);
}

/* Does a function ensure by itself what a trigger is for, if it writes a new row? */
static bool
is_ensured(const Table *table, const Trigger *trigger)
{
	return is_of_the_extension(trigger) || (OidIsValid(trigger->tgconstraint) &&
											is_ensured_constraint(table, trigger->tgconstraint));
}

/* To look at the catalogue may bring word that has the server free its own. */
static const TriggerDesc *
triggers_of(Relation relation)
{
	return CopyTriggerDesc(relation->trigdesc);
}

bool
others_watch_insert(const Table *table, Relation relation)
{
	const TriggerDesc *triggers = triggers_of(relation);

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_INSERT(trigger->tgtype) && trigger->tgenabled != TRIGGER_DISABLED &&
			!is_ensured(table, trigger))
			return true;
	}
	return false;
}

/* Those of foreign keys do not count here, see is_key_column(). */
static bool
others_watch_update(const TriggerDesc *triggers)
{
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_UPDATE(trigger->tgtype) && trigger->tgenabled != TRIGGER_DISABLED &&
			RI_FKey_trigger_type(trigger->tgfoid) == RI_TRIGGER_NONE &&
			!is_of_the_extension(trigger))
			return true;
	}
	return false;
}

/* Is the column part of a foreign key that functions do not ensure, or of what one
 * could refer to? */
static bool
is_key_column(const Table *table, Relation relation, AttrNumber attribute)
{
	Bitmapset *referenced = RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_KEY);
	List *keys = copyObject(RelationGetFKeyList(relation));
	ListCell *cell;

	if (bms_is_member(attribute - FirstLowInvalidHeapAttributeNumber, referenced))
		return true;
	foreach(cell, keys)
	{
		const ForeignKeyCacheInfo *key = lfirst(cell);

		for (int i = 0; i < key->nkeys; i++)
		{
			if (key->conkey[i] == attribute && !is_ensured_constraint(table, key->conoid))
				return true;
		}
	}
	return false;
}

/* Does the table have columns that we update, and nobody else hears of it? */
bool
others_let_update(const Table *table, Relation relation)
{
	bool any = false;

	for (int i = 0; i < TABLE_COLUMNS && table->columns[i]; i++)
	{
		if (table->updated[i] && is_key_column(table, relation, table->attributes[i]))
			return false;
		any |= table->updated[i];
	}
	return any && !others_watch_update(triggers_of(relation));
}

/* Is it a plain table, of which nothing but constraints has a say? */
bool
others_leave_alone(Relation relation, const ResultRelInfo *result)
{
	const AclMode rights = ACL_SELECT | ACL_INSERT | ACL_UPDATE;

	return relation->rd_rel->relkind == RELKIND_RELATION && !relation->rd_rel->relispartition &&
		   relation->rd_rules == NULL && !relation->rd_rel->relrowsecurity &&
		   pg_class_aclmask(RelationGetRelid(relation), GetUserId(), rights, ACLMASK_ALL) ==
			   rights &&
		   !checks_call_others(RelationGetDescr(relation)) && !indexes_call_others(result);
}
