-- What pg_dump takes along: every table and every sequence of the extension, as
-- data of the user.
\i sql/include/start.sql

SELECT c.relkind, c.oid::regclass AS "not dumped"
FROM pg_class AS c
JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i', 'a')
WHERE c.relnamespace = 'fcfs'::regnamespace AND c.relkind IN ('r', 'p', 'S')
    AND NOT c.oid = ANY (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'pg_fcfs')
GROUP BY c.relkind, c.oid
ORDER BY 2;
-- All of it, without a condition that would leave rows out.
SELECT conf.oid::regclass, conf.condition
FROM pg_extension AS e, unnest(e.extconfig, e.extcondition) AS conf (oid, condition)
WHERE e.extname = 'pg_fcfs' AND conf.condition <> '';
SELECT conf::regclass AS "twice"
FROM pg_extension AS e, unnest(e.extconfig) AS conf
WHERE e.extname = 'pg_fcfs' GROUP BY conf HAVING count(*) > 1;
-- Nothing in the schema that is not of the extension.
SELECT c.relkind, c.relname FROM pg_class AS c
WHERE c.relnamespace = 'fcfs'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');
SELECT p.oid::regprocedure FROM pg_proc AS p
WHERE p.pronamespace = 'fcfs'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e');
-- And there is something to dump.
SELECT count(*) > 0 AS "there are tables" FROM pg_extension AS e, unnest(e.extconfig) AS conf WHERE e.extname = 'pg_fcfs';

\i sql/include/finish.sql
