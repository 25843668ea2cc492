-- app.tg_lead__stamp - sets the revision and the times of a lead.
set local role leads_owner;

create or replace function app.tg_lead__stamp()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'INSERT' then
    new.revision := 1;
    if new.pipeline_stage = 'qualified' then
      new.qualification_completed_at := coalesce(new.qualification_completed_at, new.created_at);
    end if;
    return new;
  end if;

  -- Generated columns are computed later. An update that changes nothing else ends here.
  new.email_key := old.email_key;
  new.pipeline_stage_and_source := old.pipeline_stage_and_source;
  if new is not distinct from old then
    return new;
  end if;

  if (new.organization_id, new.id, new.created_at) is distinct from (old.organization_id, old.id, old.created_at) then
    raise sqlstate 'PT409' using
      message = 'lead_identity_is_fixed',
      hint = 'organization_id, id and created_at of a lead never change.';
  end if;

  new.qualification_completed_at := old.qualification_completed_at;
  -- The clock can be set back, and a transaction that began earlier can write later.
  new.updated_at := greatest(date_trunc('milliseconds', now()), old.updated_at);
  if new.pipeline_stage = 'qualified' then
    new.qualification_completed_at := coalesce(old.qualification_completed_at, new.updated_at);
  end if;
  new.revision := old.revision + 1;
  return new;
end $$;

comment on function app.tg_lead__stamp() is
  'Increments revision, sets updated_at, and sets qualification_completed_at when the lead first reaches the stage '
  '"qualified". An UPDATE cannot set these columns itself.';
