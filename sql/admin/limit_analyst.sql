-- admin.limit_analyst - sets what the sessions of an analyst's login may take from the server.
set local role leads_jobs;

create or replace function admin.limit_analyst(login text, connections integer)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_limit record;
begin
  if limit_analyst.connections not between 1 and 1000 then
    raise sqlstate 'PT422' using
      message = 'out_of_range', hint = 'The number of connections must be a whole number from 1 to 1000.';
  end if;
  execute format('alter role %I connection limit %s', limit_analyst.login, limit_analyst.connections);
  -- A session whose client is gone ends during its query, and not after it.
  begin
    execute format('alter role %I set client_connection_check_interval = ''5s''', limit_analyst.login);
  exception
    when invalid_parameter_value then null;  -- not every system can detect it
  end;
  -- Neither the analyst nor, without superuser.sql, the migrating login may change these.
  for v_limit in
    select l.name, l.value
    from (values
      -- For each session.
      ('temp_file_limit', '512MB'),
      -- The message of an error can be as long as a query makes it, and can contain a lead's
      -- fields.
      ('log_min_messages', 'fatal')
    ) as l (name, value)
    where has_parameter_privilege(l.name, 'set')
  loop
    execute format('alter role %I set %I = %L', limit_analyst.login, v_limit.name, v_limit.value);
  end loop;
end $$;

comment on function admin.limit_analyst(text, integer) is
$$Sets the number of connections of an analyst's login, and the limits of its sessions.

admin.create_analyst and admin.alter_analyst call it. Raises PT422 out_of_range.$$;
