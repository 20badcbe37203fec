/*
 * call_scan.c
 *
 * SELECT ... FROM fcfs.try_name(...) without what a function scan costs.
 *
 * An application calls a function like that, once a statement. To the server it
 * is a scan of a function that is SECURITY DEFINER and has a SET clause: it
 * looks both up in the catalogue for every statement, parses the setting,
 * searches all settings for those to be put back, and writes the one row into a
 * tuplestore and reads it again. All of that costs more than to say that a
 * coupon is sold out. Where the library was loaded when the statement was
 * planned, a custom scan takes its place: it calls the operation, as the
 * function's owner, and hands over the row.
 *
 * The rights are the same: EXECUTE on the function is looked at in every
 * execution. The plan depends on the function and is made anew when it changes;
 * one that an administrator has altered (other settings, not SECURITY DEFINER)
 * is called as the server would. search_path is set when something is about to
 * run that could depend on it: a query (query_path_begin()).
 *
 * Only the plain form: the function alone in FROM, without WHERE, ORDINALITY or
 * a reference to the whole row. For any other the server's own scan is there.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/explain.h"
#include "commands/extension.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "pgstat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "call_scan.h"
#include "compat.h"
#include "operation.h"

#define FACE_PREFIX "fcfs_try_" /* of the C functions */

static set_rel_pathlist_hook_type previous_hook = NULL;

/* Planning ---------------------------------------------------------------------------- */

/* Is the function as the extension has made it, and does nobody look on when functions
 * are called? Else the server has to call it. */
static bool
is_as_made(Form_pg_proc function, Datum settings, bool no_settings)
{
	Datum *elements;
	int count;
	bool same;

	if (!function->prosecdef || function->proisstrict || no_settings ||
		FmgrHookIsNeeded(function->oid) ||
		getExtensionOfObject(ProcedureRelationId, function->oid) !=
			get_extension_oid("pg_fcfs", true))
		return false;
	deconstruct_array(DatumGetArrayTypeP(settings), TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  NULL, &count);
	same = count == 1 &&
		   strcmp(TextDatumGetCString(elements[0]), "search_path=" QUERY_SEARCH_PATH) == 0;
	pfree(elements);
	return same;
}

/* The operation that a function is the try_ face of, and its owner; else NULL. */
static Operation *
operation_of_function(Oid function, Oid *owner)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Operation *operation = NULL;
	char *symbol;
	bool isnull;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	*owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	symbol = TextDatumGetCString(SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull));
	if (strncmp(symbol, FACE_PREFIX, strlen(FACE_PREFIX)) == 0)
		operation = operation_by_name(symbol + strlen(FACE_PREFIX));
	if (operation)
	{
		Datum settings = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proconfig, &isnull);

		if (!is_as_made((Form_pg_proc) GETSTRUCT(tuple), settings, isnull))
			operation = NULL;
	}
	ReleaseSysCache(tuple);
	return operation;
}

/* Are columns of the outcome, of the types that they have from us, all that is wanted?
 * An outer join that was left out leaves expressions behind. */
static bool
wants_columns(const RelOptInfo *rel)
{
	ListCell *cell;

	foreach(cell, rel->reltarget->exprs)
	{
		Var *column = lfirst(cell);

		if (!IsA(column, Var) || column->vartype != operation_outcome_types[column->varattno - 1])
			return false;
	}
	return true;
}

/* The call that is all there is in FROM; NULL if it is something else. */
static FuncExpr *
lone_call(const PlannerInfo *root, const RelOptInfo *rel, const RangeTblEntry *entry)
{
	FuncExpr *call;

	if (entry->rtekind != RTE_FUNCTION || entry->funcordinality ||
		list_length(entry->functions) != 1 || rel->reloptkind != RELOPT_BASEREL ||
		root->parent_root != NULL || !bms_equal(rel->relids, root->all_baserels) ||
		rel->baserestrictinfo != NIL || !bms_is_empty(rel->lateral_relids) ||
		!bms_is_empty(rel->attr_needed[0 - rel->min_attr]) || root->rowMarks != NIL)
		return NULL;
	call = (FuncExpr *) ((RangeTblFunction *) linitial(entry->functions))->funcexpr;
	if (!IsA(call, FuncExpr) || call->funcretset || rel->max_attr != OUTCOME_COLUMNS ||
		!wants_columns(rel))
		return NULL;
	return call;
}

/* The columns of the outcome that the query uses. */
static List *
used_columns(const RelOptInfo *rel, Index number)
{
	List *columns = NIL;
	ListCell *cell;

	foreach(cell, rel->reltarget->exprs)
	{
		Var *column = lfirst_node(Var, cell);

		Assert(column->varno == (int) number && column->varattno > 0);
		columns = lappend(columns, makeTargetEntry((Expr *) copyObject(column),
												   list_length(columns) + 1, NULL, false));
	}
	return columns;
}

static Node *make_scan_state(CustomScan *scan);
static CustomScanMethods scan_methods = {"fcfs call", make_scan_state};

static Plan *
plan_call(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *target, List *clauses,
		  List *custom_plans)
{
	FuncExpr *call = linitial(path->custom_private);
	CustomScan *scan = makeNode(CustomScan);

	Assert(clauses == NIL && custom_plans == NIL);
	scan->scan.plan.targetlist = target;
	scan->scan.scanrelid = 0; /* there is no relation to open */
	scan->flags = path->flags;
	scan->custom_scan_tlist = lsecond(path->custom_private);
	scan->custom_exprs = list_make1(call); /* the plan depends on it */
	scan->custom_private = list_copy_tail(path->custom_private, 2);
	scan->methods = &scan_methods;
	return &scan->scan.plan;
}

static CustomPathMethods path_methods = {.CustomName = "fcfs call", .PlanCustomPath = plan_call};

/* Offers the planner a scan of ours for a call that is one of an operation. */
static void
consider_call(PlannerInfo *root, RelOptInfo *rel, Index number, RangeTblEntry *entry)
{
	FuncExpr *call;
	Operation *operation;
	CustomPath *path;
	Oid owner;

	if (previous_hook)
		previous_hook(root, rel, number, entry);
	call = lone_call(root, rel, entry);
	operation = call ? operation_of_function(call->funcid, &owner) : NULL;
	if (operation == NULL)
		return;
	path = makeNode(CustomPath);
	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = rel->reltarget;
	path->path.rows = 1;
	path->flags = COMPAT_CUSTOMPATH_PROJECTION | CUSTOMPATH_SUPPORT_BACKWARD_SCAN;
	path->custom_private =
		list_make4(call, used_columns(rel, number), makeString(pstrdup(operation->name)),
				   makeInteger((int) owner));
	path->methods = &path_methods;
	add_path(rel, &path->path); /* it costs nothing, so it wins */
}

/* Execution --------------------------------------------------------------------------- */

/* Where the reader is. */
typedef enum CallPlace
{
	BEFORE_ROW,
	AT_ROW,
	AFTER_ROW
} CallPlace;

typedef struct CallScan
{
	CustomScanState custom;
	Operation *operation;
	FmgrInfo function; /* of the function no more than statistics need */
	Oid owner;
	int count; /* of arguments */
	NullableDatum constants[OPERATION_MAX_ARGS];
	ExprState *expressions[OPERATION_MAX_ARGS]; /* NULL: it is a constant */
	bool called;                                /* once, however often it is read */
	CallPlace place;
	Datum values[OUTCOME_COLUMNS];
	bool nulls[OUTCOME_COLUMNS];
} CallScan;

static void
begin_scan(CustomScanState *state, EState *estate pg_attribute_unused(),
		   int eflags pg_attribute_unused())
{
	CallScan *scan = (CallScan *) state;
	CustomScan *plan = (CustomScan *) state->ss.ps.plan;
	FuncExpr *call = linitial_node(FuncExpr, plan->custom_exprs);
	ListCell *cell;

	scan->operation = operation_by_name(strVal(linitial(plan->custom_private)));
	scan->owner = (Oid) intVal(lsecond(plan->custom_private));
	scan->count = list_length(call->args);
	Assert(scan->count <= OPERATION_MAX_ARGS);
	foreach(cell, call->args)
	{
		int i = foreach_current_index(cell);
		Const *constant = lfirst(cell);

		if (IsA(constant, Const))
			scan->constants[i] = (NullableDatum){constant->constvalue, constant->constisnull};
		else
			scan->expressions[i] = ExecInitExpr(lfirst(cell), &state->ss.ps);
	}
	compat_check_execute(call->funcid);
	InvokeFunctionExecuteHook(call->funcid);
	scan->function.fn_oid = call->funcid;
	scan->function.fn_stats = TRACK_FUNC_PL; /* as functions in C: counted with "all" */
}

/* Calls it so that it is counted, if functions are. */
static void
call_counted(CallScan *scan, const NullableDatum *arguments)
{
	LOCAL_FCINFO(call, 0);
	PgStat_FunctionCallUsage usage;

	InitFunctionCallInfoData(*call, &scan->function, 0, InvalidOid, NULL, NULL);
	pgstat_init_function_usage(call, &usage);
	operation_outcome(scan->operation, arguments, scan->count, scan->values, scan->nulls);
	pgstat_end_function_usage(&usage, true);
}

/* Calls the operation with the rights of the function's owner. */
static void
call_operation(CallScan *scan)
{
	ExprContext *context = scan->custom.ss.ps.ps_ExprContext;
	NullableDatum arguments[OPERATION_MAX_ARGS];
	QueryPath path;
	Oid save_user;
	int save_security;

	for (int i = 0; i < scan->count; i++)
	{
		arguments[i] = scan->constants[i];
		if (scan->expressions[i])
			arguments[i].value =
				ExecEvalExprSwitchContext(scan->expressions[i], context, &arguments[i].isnull);
	}
	GetUserIdAndSecContext(&save_user, &save_security);
	SetUserIdAndSecContext(scan->owner, save_security | SECURITY_LOCAL_USERID_CHANGE);
	query_path_begin(&path);
	PG_TRY();
	{
		call_counted(scan, arguments);
	}
	PG_CATCH();
	{
		query_path_abandon(&path);
		PG_RE_THROW(); /* who it was is put back where the error is caught */
	}
	PG_END_TRY();
	query_path_end(&path);
	SetUserIdAndSecContext(save_user, save_security);
}

/* The one row, forwards and backwards, as a tuplestore would have it. */
static TupleTableSlot *
next_row(ScanState *state)
{
	CallScan *scan = (CallScan *) state;
	TupleTableSlot *slot = ExecClearTuple(state->ss_ScanTupleSlot);
	ListCell *cell;

	if (ScanDirectionIsForward(state->ps.state->es_direction))
		scan->place = Min(scan->place + 1, AFTER_ROW);
	else
		scan->place = Max((int) scan->place - 1, BEFORE_ROW);
	if (scan->place != AT_ROW)
		return slot;
	if (!scan->called)
		call_operation(scan);
	scan->called = true;
	foreach(cell, ((CustomScan *) state->ps.plan)->custom_scan_tlist)
	{
		int column = ((Var *) lfirst_node(TargetEntry, cell)->expr)->varattno - 1;

		slot->tts_values[foreach_current_index(cell)] = scan->values[column];
		slot->tts_isnull[foreach_current_index(cell)] = scan->nulls[column];
	}
	return ExecStoreVirtualTuple(slot);
}

static bool
any_row(ScanState *state pg_attribute_unused(), TupleTableSlot *slot pg_attribute_unused())
{
	return true;
}

static TupleTableSlot *
execute_scan(CustomScanState *state)
{
	return ExecScan(&state->ss, next_row, any_row);
}

static void
end_scan(CustomScanState *state pg_attribute_unused())
{
}

static void
rescan(CustomScanState *state)
{
	((CallScan *) state)->place = BEFORE_ROW;
}

static void
explain_scan(CustomScanState *state, List *ancestors pg_attribute_unused(), ExplainState *explain)
{
	Oid function = ((CallScan *) state)->function.fn_oid;
	char *schema = get_namespace_name(get_func_namespace(function));

	ExplainPropertyText("Function", quote_qualified_identifier(schema, get_func_name(function)),
						explain);
}

static CustomExecMethods exec_methods = {.CustomName = "fcfs call",
										 .BeginCustomScan = begin_scan,
										 .ExecCustomScan = execute_scan,
										 .EndCustomScan = end_scan,
										 .ReScanCustomScan = rescan,
										 .ExplainCustomScan = explain_scan};

static Node *
make_scan_state(CustomScan *plan pg_attribute_unused())
{
	CallScan *scan = (CallScan *) newNode(sizeof(CallScan), T_CustomScanState);

	scan->custom.methods = &exec_methods;
	return (Node *) scan;
}

void
call_scan_init(void)
{
	RegisterCustomScanMethods(&scan_methods);
	previous_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = consider_call;
}
