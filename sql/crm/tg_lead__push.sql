-- crm.tg_lead__push - has a lead pushed by itself when it enters the stage that its organization's connection names.
set local role leads_jobs;

create or replace function crm.tg_lead__push()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  -- With its owner's rights: whoever changes the lead, in SQL too, reads no connection.
  if exists (
    select
    from crm.connection as c
    where c.organization_id = new.organization_id and c.push_stage = new.pipeline_stage
  ) then
    perform crm.request_push(new.organization_id, new.id, false);
  end if;
  return null;
end
$$;

comment on function crm.tg_lead__push() is
  'Asks for the push of a lead that has entered the connection''s push_stage, in the lead''s own transaction.';

grant execute on function crm.tg_lead__push() to leads_owner;
