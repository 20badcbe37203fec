# Expands each
#     OPERATION name(arguments) RETURNS type IS 'what it does';
# into its two SQL faces: name(), which raises when refused, and try_name(),
# which answers an fcfs.outcome. Both faces of every operation are made here
# and nowhere else. All other lines pass through.

/^OPERATION / { collecting = 1; statement = "" }
!collecting   { print; next }
              { statement = statement (statement == "" ? "" : " ") $0 }
/;[ \t]*$/ {
    collecting = 0
    sub(/^OPERATION +/, "", statement)
    name = statement; sub(/\(.*/, "", name)
    arguments = statement; sub(/^[^(]*/, "", arguments); sub(/\) *RETURNS .*/, ")", arguments)
    returns = statement; sub(/.*\) *RETURNS +/, "", returns); sub(/ +IS +'.*/, "", returns)
    comment = statement; sub(/.*RETURNS +[a-z_.]+ +IS +/, "", comment); sub(/; *$/, "", comment)
    types = arguments; gsub(/ DEFAULT [^,)]*/, "", types)
    face(name, returns, comment)
    refusal = comment; sub(/'$/, " A refusal is answered, not raised.'", refusal)
    face("try_" name, "fcfs.outcome", refusal)
}

function face(sql_name, result, text) {
    print "CREATE FUNCTION fcfs." sql_name arguments
    print "RETURNS " result
    print "LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER"
    print "SET search_path = pg_catalog, pg_temp"
    print "AS 'MODULE_PATHNAME', 'fcfs_" sql_name "';"
    print "COMMENT ON FUNCTION fcfs." sql_name types " IS"
    print "    " text ";"
    print ""
}
