-- superuser.sql - what only a superuser may revoke in a database, and a copy made from a template lacks. May be run again.
do $$
declare
  v_function regprocedure;
begin
  execute format('revoke temporary on database %I from public', current_database());
  revoke all on schema public from public;

  -- a large object belongs to no organization, and no policy reaches it: nobody makes one
  for v_function in
    select p.oid::regprocedure
    from pg_catalog.pg_proc as p
    cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as granted
    where p.pronamespace = 'pg_catalog'::regnamespace
      and p.proname in ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_export')
      and granted.grantee = 0
  loop
    execute format('revoke execute on function %s from public', v_function);
  end loop;
end;
$$;
