-- app.tg_pipeline_stage__keep_new - keeps the stage "new", the initial stage of every lead.
set local role leads_owner;

create or replace function app.tg_pipeline_stage__keep_new()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  raise sqlstate 'PT409' using
    message = 'stage_new_is_needed',
    hint = 'The stage "new" can''t be removed or renamed: it is the initial stage of every lead.';
end $$;

comment on function app.tg_pipeline_stage__keep_new() is 'Refuses to remove or rename the stage "new".';
