-- audit.event - the partitions of this year and the next one, of the log and of its seals.
set local role leads_jobs;
do $$ begin perform admin.create_audit_partitions(); end $$;
