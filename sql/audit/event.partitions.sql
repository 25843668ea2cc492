-- audit.event - the partitions of this year and the next one, of the log and of its seals.
set local role leads_owner;
do $$
declare
  v_year integer := extract(year from now() at time zone 'UTC');
begin
  perform audit.create_partitions(v_year);
  perform audit.create_partitions(v_year + 1);
end $$;
