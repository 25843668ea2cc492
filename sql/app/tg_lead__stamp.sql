-- app.tg_lead__stamp - sets the columns of a lead that no writer can set.
set local role leads_owner;

create or replace function app.tg_lead__stamp()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_lead app.lead_values;
  v_phone_key text := old.phone_key;
begin
  if tg_op = 'INSERT' then
    new.revision := 1;
    if new.phone is not null then
      new.phone_key := app.phone_key(new.phone, app.country_code(new.organization_id));
    end if;
    if new.pipeline_stage <> 'new' then
      if new.pipeline_stage = 'qualified' then
        new.qualification_completed_at := coalesce(new.qualification_completed_at, new.created_at);
      end if;
      new.won_at := case new.pipeline_stage when 'won' then coalesce(new.won_at, new.created_at) end;
      new.lost_at := case new.pipeline_stage when 'lost' then coalesce(new.lost_at, new.created_at) end;
      if new.pipeline_stage <> 'lost' then
        new.first_contacted_at := coalesce(new.first_contacted_at, new.created_at);
      end if;
    end if;
  else
    if new.phone is distinct from old.phone or new.phone_key is distinct from old.phone_key then
      v_phone_key := app.phone_key(new.phone, app.country_code(new.organization_id));
    end if;
    -- Generated columns are computed later, and the item and the key of the phone below.
    new.phone_key := old.phone_key;
    new.email_key := old.email_key;
    new.pipeline_stage_and_source := old.pipeline_stage_and_source;
    new.item := old.item;
    -- Only admin.fill_lead_stage_times has the privilege to set these.
    old.won_at := new.won_at;
    old.lost_at := new.lost_at;
    old.first_contacted_at := new.first_contacted_at;
    -- An update that changes nothing else keeps the revision and the times.
    if new is distinct from old then
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
      if new.pipeline_stage <> old.pipeline_stage then
        new.won_at := case new.pipeline_stage when 'won' then new.updated_at end;
        new.lost_at := case new.pipeline_stage when 'lost' then new.updated_at end;
        if new.first_contacted_at is null and new.pipeline_stage not in ('new', 'lost') then
          new.first_contacted_at := new.updated_at;
        end if;
      end if;
      new.revision := old.revision + 1;
    end if;
    new.phone_key := v_phone_key;
  end if;

  v_lead := new;
  new.item := row_to_json(app.lead_item(v_lead))::text;
  return new;
end $$;

comment on function app.tg_lead__stamp() is
  'Increments revision, sets updated_at and phone_key, sets qualification_completed_at when the lead first reaches the stage '
  '"qualified", sets won_at, lost_at and first_contacted_at, and sets item. An UPDATE cannot set these columns itself, except '
  'that of admin.fill_lead_stage_times. One that changes no other column only sets item and phone_key.';
