-- A section that is not held after all.

CREATE FUNCTION fcfs.cancel_section(section_id bigint, reason text DEFAULT NULL)
RETURNS TABLE (student_id bigint, enrollment_id bigint, status text)
LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'fcfs_cancel_section';
COMMENT ON FUNCTION fcfs.cancel_section(bigint, text) IS
    'Cancels a section: everybody in it and in its line is dropped. Returns who it was, in order of arrival, with the status they had; nobody where it is cancelled already. The section notes when it was, by whom, and the reason. An UPDATE that sets section.cancelled_at does the same and says nothing.';
