-- audit.tg_refuse - refuses a statement.
set local role leads_owner;

create or replace function audit.tg_refuse()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  raise sqlstate 'PT409' using
    message = 'refused',
    hint = format('%s on %I.%I is refused. %s', tg_op, tg_table_schema, tg_table_name, tg_argv[0]);
end $$;

comment on function audit.tg_refuse() is 'Trigger: raises PT409 refused. Argument: a sentence that says what to do instead.';

grant execute on function audit.tg_refuse() to leads_auth;
